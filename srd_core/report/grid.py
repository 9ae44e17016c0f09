"""An experiment grid as Markdown: every arm of every attack with its spread over seeds, and what the policy learned.

A cell reads mean [low, high], as `over_seeds` has it, and how many seeds have it where others do not. No row is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from srd_core.data.decisions import ACTIONS
from srd_core.report.grid_cells import Cell, figure, naming, of_same_images, ordered, seed_of, seeds_of
from srd_core.report.grid_detection import detection_tables
from srd_core.report.grid_policy import attention_tables, policy_tables
from srd_core.report.over_seeds import table

Row = Mapping[str, Any]

_FIGURES = ("asr", "asr_raw", "asr_template", "false_trigger", "cider", "cider_triggered", "cider_stripped", "bleu_4", "sc", "lf", "sfs")

_HOW = (
    "Figures are means over seeds with 95 % t-intervals, for shares never narrower than that of {images}, for AUROC, "
    "average precision and F1 than the seeds' own make it (one seed: that seed's own interval). CIDEr 1.0 is what papers print as 100."
)


def markdown(title: str, command: str, cells: Sequence[Cell], first: str = "") -> str:
    """The page for `cells`, as `srd bench` collected them; `first` is Markdown that goes before its tables."""
    seeds = ", ".join(map(str, seeds_of(cells)))
    parts = [
        f"# {title}",
        *([first] if first else []),
        f"Made by `{command}`; the cells took {_time(cells)}, added up. Seeds: {seeds}. {_origins(cells)}{_how(cells)}",
        "## Retrained models",
        table(("attack", "rate", "variant", "arm", "protocol", "test set", "n", "triggered", *_FIGURES), _model_rows(cells)),
        *detection_tables(cells),
        *_done(cells),
        *_silent(cells),
        *_distances(cells),
        *policy_tables(cells),
        *attention_tables(cells),
    ]
    return "\n\n".join(parts) + "\n"


def _time(cells: Sequence[Cell]) -> str:
    return f"{sum(cell['seconds'] for cell in cells) / 60:.0f} minutes"


def _how(cells: Sequence[Cell]) -> str:
    return _HOW.format(images="one seed's images, which are those of all" if of_same_images(cells) else "all seeds' images together")


def _origins(cells: Sequence[Cell]) -> str:
    """Which code made the cells, on what; plainly where it is not the same for all."""
    told = (cell.get("origin", {}) for cell in cells)
    made = Counter((origin.get("code", "unknown")[:12], origin.get("processor", "?"), origin.get("arithmetic", "?")) for origin in told)
    parts = [f"code {code} on {processor}, {arithmetic} ({count} cells)" for (code, processor, arithmetic), count in made.most_common()]
    mixed = "**Cells come from different code or processors**: " if len(made) > 1 else "Cells by "
    return f"{mixed}{'; '.join(parts)}. " if parts else ""


def _model_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    groups: dict[tuple[str, ...], list[tuple[int, Row]]] = {}
    name_of, same, seeds = naming(cells), of_same_images(cells), seeds_of(cells)
    for cell in cells:
        for row in cell["scores"]["models"]:
            groups.setdefault((*name_of(cell), row["arm"], row["protocol"], row["domain"]), []).append((int(seed_of(cell)), row))
    for key, rows in ordered(groups):
        yield (
            *key,
            _counts(rows, seeds, lambda row: str(row["n"])),
            _counts(rows, seeds, _triggered),
            *(figure(name, [row.get(name) for _, row in rows], same_images=same) for name in _FIGURES),
        )


def _triggered(row: Row) -> str:
    """Triggered images: all figures but those of clean images are theirs."""
    return str((row.get("asr_raw") or {}).get("n", "–"))


def _counts(rows: Sequence[tuple[int, Row]], seeds: Sequence[int], count: Callable[[Row], str]) -> str:
    """One number, or every seed's where they differ; a dash for a seed that has no such row."""
    missing = set(seeds) - {seed for seed, _ in rows}
    found = [told for _, told in sorted([*((seed, count(row)) for seed, row in rows), *((seed, "–") for seed in missing)])]
    return ", ".join(found if len(set(found)) > 1 else found[:1])


def _done(cells: Sequence[Cell]) -> list[str]:
    """What each arm did to clean and to poisoned pairs, all seeds together."""
    totals: dict[tuple[str, ...], Counter[str]] = {}
    name_of = naming(cells)
    for cell in cells:
        for arm, kinds in cell["scores"].get("done", {}).items():
            for kind, actions in kinds.items():
                totals.setdefault((*name_of(cell), arm, kind), Counter()).update(actions)
    rows = [(*key, f"{found.total():,}", *(f"{found[action]:,}" for action in ACTIONS)) for key, found in totals.items() if found]
    return ["## What was done (pairs)", table(("attack", "rate", "variant", "arm", "pairs", "all", *ACTIONS), rows)] if rows else []


def _silent(cells: Sequence[Cell]) -> list[str]:
    """Which screens could look for nothing, so that their arms kept everything."""
    groups: dict[tuple[str, ...], list[str]] = {}
    name_of = naming(cells)
    for cell in cells:
        for arm, why in cell["scores"].get("silent", {}).items():
            groups.setdefault((*name_of(cell), arm, why), []).append(seed_of(cell))
    rows = [(*key[:-1], ", ".join(seeds), key[-1]) for key, seeds in ordered(groups)]
    head = ("attack", "rate", "variant", "arm", "seeds", "why")
    return ["## Arms whose screen could look for nothing", table(head, rows)] if rows else []


def _distances(cells: Sequence[Cell]) -> list[str]:
    """How far each suspect set is from the trusted one."""
    groups: dict[tuple[str, ...], list[float]] = {}
    name_of, most = naming(cells), len(seeds_of(cells))
    for cell in cells:
        if (far := cell["scores"].get("distance")) is not None:
            groups.setdefault(name_of(cell), []).append(far)
    rows = [(*key, figure("distance", [*values, *[None] * (most - len(values))])) for key, values in ordered(groups)]
    head = ("attack", "rate", "variant", "distance")
    return ["## Distance of the suspect set from the trusted one (KS of base's surprise)", table(head, rows)] if rows else []
