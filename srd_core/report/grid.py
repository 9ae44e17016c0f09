"""An experiment grid as Markdown: every arm of every attack with its spread over seeds, and what the policy learned.

A cell reads mean [low, high], as `over_seeds` has it. No row is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srd_core.data.decisions import ACTIONS
from srd_core.report.over_seeds import SHARES, combined, table, told
from srd_core.scoring.intervals import Interval

_FIGURES = ("asr", "asr_raw", "asr_template", "false_trigger", "cider", "cider_triggered", "cider_stripped", "bleu_4", "sc", "lf", "sfs")

_HOW = (
    "Figures are means over seeds with 95 % t-intervals, for shares never narrower than that of all seeds' images together "
    "(one seed: that seed's own interval). CIDEr 1.0 is what papers print as 100."
)

_POLICY = ("attack", "variant", "environment steps", "on", "reward, greedy", "random", "difference [low, high]", "trigger covered")

Cell = Mapping[str, Any]


def markdown(title: str, command: str, cells: Sequence[Cell], first: str = "") -> str:
    """The page for `cells`, as `srd bench` collected them; `first` is Markdown that goes before its tables."""
    seeds = sorted({int(cell["settings"]["experiment"]["seed"]) for cell in cells})
    parts = [
        f"# {title}",
        *([first] if first else []),
        f"Made by `{command}` in {_time(cells)}. Seeds: {', '.join(map(str, seeds))}. {_origins(cells)}{_HOW}",
        "## Retrained models",
        table(("attack", "rate", "variant", "arm", "protocol", "test set", "n", *_FIGURES), _model_rows(cells)),
        "## Detection (pairs, against the truth)",
        table(
            ("attack", "rate", "variant", "score", "seeds", "AUROC", "recall as decided", "precision", "clean pairs kept"),
            _detection_rows(cells),
        ),
        *_done(cells),
        *_distances(cells),
        "## Policy",
        table(_POLICY, _policy_rows(cells)),
    ]
    looked = list(_attention_rows(cells))
    if looked:
        head = ("attack", "variant", "trigger, share of the image", "backdoored model", "without the trigger", "clean model")
        parts += ["## Attention on the trigger (Grad-CAM for the target, share of the map)", table(head, looked)]
    return "\n\n".join(parts) + "\n"


def _time(cells: Sequence[Cell]) -> str:
    return f"{sum(cell['seconds'] for cell in cells) / 60:.0f} minutes"


def _origins(cells: Sequence[Cell]) -> str:
    """Which code made the cells, on what; plainly where it is not the same for all."""
    told = (cell.get("origin", {}) for cell in cells)
    made = Counter((origin.get("code", "unknown")[:12], origin.get("processor", "?"), origin.get("arithmetic", "?")) for origin in told)
    parts = [f"code {code} on {processor}, {arithmetic} ({count} cells)" for (code, processor, arithmetic), count in made.most_common()]
    mixed = "**Cells come from different code or processors**: " if len(made) > 1 else "Cells by "
    return f"{mixed}{'; '.join(parts)}. " if parts else ""


def _model_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        for row in cell["scores"]["models"]:
            groups.setdefault((*_about(cell), row["arm"], row["protocol"], row["domain"]), []).append(row)
    for key, rows in sorted(groups.items()):
        yield (*key, str(rows[0]["n"]), *(_figure(name, [row.get(name) for row in rows]) for name in _FIGURES))


def _detection_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        for name, found in cell["scores"]["detection"].items():
            groups.setdefault((*_about(cell), name), []).append(found)
    for key, rows in sorted(groups.items()):
        names = ("auroc", "recall", "precision", "kept_clean")
        yield (*key, str(len(rows)), *(_figure("asr" if name != "auroc" else name, [row[name] for row in rows]) for name in names))


def _done(cells: Sequence[Cell]) -> list[str]:
    """What each arm did to clean and to poisoned pairs, all seeds together."""
    totals: dict[tuple[str, ...], Counter[str]] = {}
    for cell in cells:
        for arm, kinds in cell["scores"].get("done", {}).items():
            for kind, actions in kinds.items():
                totals.setdefault((*_about(cell), arm, kind), Counter()).update(actions)
    rows = [(*key, f"{found.total():,}", *(f"{found[action]:,}" for action in ACTIONS)) for key, found in totals.items() if found]
    return ["## What was done (pairs)", table(("attack", "rate", "variant", "arm", "pairs", "all", *ACTIONS), rows)] if rows else []


def _distances(cells: Sequence[Cell]) -> list[str]:
    """How far each suspect set is from the trusted one."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for cell in cells:
        if (far := cell["scores"].get("distance")) is not None:
            groups.setdefault(_about(cell), []).append(far)
    rows = [(*key, told(combined(values, share=False))) for key, values in sorted(groups.items())]
    head = ("attack", "rate", "variant", "distance")
    return ["## Distance of the suspect set from the trusted one (KS of base's surprise)", table(head, rows)] if rows else []


def _policy_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    for cell in cells:
        attack, _, variant = _about(cell)
        seed = cell["settings"]["experiment"]["seed"]
        if bounds := cell["scores"]["policy"].get("bounds"):
            yield _bounds_row(attack, f"{variant}, seed {seed}", bounds)
        for name, found in (("held-out synthetic", "held_out"), ("test images with the attack", "attack")):
            facts = cell["scores"]["policy"].get(found)
            if facts:
                against = facts["against_random"]
                gain = f"{against['difference']:.3f} [{against['low']:.3f}, {against['high']:.3f}]"
                covered = _figure("asr", [facts["coverage"]]) if "coverage" in facts else "fills the frame"
                calls = f"{cell['scores']['policy']['reward_calls']:,}"
                yield attack, f"{variant}, seed {seed}", calls, name, f"{against['policy']:.3f}", f"{against['control']:.3f}", gain, covered


def _bounds_row(attack: str, variant: str, facts: Mapping[str, Any]) -> Sequence[str]:
    """What one mask could earn and cover at most."""
    best, random = (told(Interval.model_validate(facts["attainable"][name])) for name in ("best", "random"))
    covered = _figure("asr", [facts["triggers"]["best_any"]])
    return attack, variant, f"{facts['reward_calls']:,}", "held-out synthetic: best mask", best, random, "", f"{covered} at most"


def _attention_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    for cell in cells:
        facts = cell["scores"].get("attention", {})
        if facts.get("boxed"):
            attack, _, variant = _about(cell)
            names = ("backdoored", "untriggered", "clean")
            shares = (told(Interval.model_validate(facts[name]), scale=100, digits=1, unit=" %") for name in names)
            yield attack, f"{variant}, seed {cell['settings']['experiment']['seed']}", f"{100 * facts['area']:.1f} %", *shares


def _about(cell: Cell) -> tuple[str, str, str]:
    experiment = cell["settings"]["experiment"]
    rate = float(experiment["rate"])
    return str(experiment["attack"]) if rate else "nothing planted", f"{rate:.1%}", str(cell["settings"]["variant"])


def _figure(name: str, values: Sequence[Any]) -> str:
    share = name in SHARES
    found = combined(values, share=share)
    return told(found, scale=100, digits=1, unit=" %") if share else told(found)
