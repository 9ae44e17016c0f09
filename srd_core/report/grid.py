"""An experiment grid as Markdown: every arm of every attack with its spread over seeds, and what the policy learned.

A cell reads mean [low, high]: the mean over seeds and its 95 % t-interval; with one seed, that seed's own interval. Shares stay within
0 and 100 %, and their interval is never narrower than that of all seeds' images together: three times 0 of 200 is not certainty.
No row is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srd_core.scoring.intervals import Interval, across_seeds, wilson

_FIGURES = ("asr", "asr_raw", "false_trigger", "cider", "bleu_4", "sc", "lf", "sfs")
_PER_CENT = frozenset(("asr", "asr_raw", "false_trigger"))

Cell = Mapping[str, Any]


def markdown(title: str, command: str, cells: Sequence[Cell]) -> str:
    """The page for `cells`, as `srd bench` collected them."""
    seeds = sorted({int(cell["settings"]["experiment"]["seed"]) for cell in cells})
    parts = [
        f"# {title}",
        f"Made by `{command}`. Seeds: {', '.join(map(str, seeds))}. Figures are means over seeds with 95 % t-intervals, for shares never "
        "narrower than that of all seeds' images together (one seed: that seed's own interval). CIDEr 1.0 is what papers print as 100.",
        "## Retrained models",
        _table(("attack", "rate", "variant", "arm", "protocol", "test set", "n", *_FIGURES), _model_rows(cells)),
        "## Detection (pairs, against the truth)",
        _table(("attack", "rate", "score", "AUROC", "recall as decided", "precision", "clean pairs kept"), _detection_rows(cells)),
        "## Policy",
        _table(("attack", "variant", "on", "reward, greedy", "random", "difference [low, high]", "trigger covered"), _policy_rows(cells)),
    ]
    return "\n\n".join(parts) + "\n"


def _model_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        for row in cell["scores"]["models"]:
            groups.setdefault((*_about(cell), row["arm"], row["protocol"], row["domain"]), []).append(row)
    for key, rows in sorted(groups.items()):
        yield (*key, str(rows[0]["n"]), *(_figure(name, [row[name] for row in rows]) for name in _FIGURES))


def _detection_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        for name, found in cell["scores"]["detection"].items():
            groups.setdefault((*_about(cell)[:2], name), []).append(found)
    for key, rows in sorted(groups.items()):
        names = ("auroc", "recall", "precision", "kept_clean")
        yield (*key, *(_figure("asr" if name != "auroc" else name, [row[name] for row in rows]) for name in names))


def _policy_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    for cell in cells:
        attack, _, variant = _about(cell)
        seed = cell["settings"]["experiment"]["seed"]
        for name, found in (("held-out synthetic", "held_out"), ("test images with the attack", "attack")):
            facts = cell["scores"]["policy"].get(found)
            if facts:
                against = facts["against_random"]
                gain = f"{against['difference']:.3f} [{against['low']:.3f}, {against['high']:.3f}]"
                covered = _interval("asr", facts["coverage"]) if "coverage" in facts else "fills the frame"
                yield attack, f"{variant}, seed {seed}", name, f"{against['policy']:.3f}", f"{against['control']:.3f}", gain, covered


def _about(cell: Cell) -> tuple[str, str, str]:
    experiment = cell["settings"]["experiment"]
    rate = float(experiment["rate"])
    variant = str(cell["cell"]).removeprefix(f"{experiment['attack']}-{rate:g}-").rpartition("-")[0]
    return str(experiment["attack"]) if rate else "nothing planted", f"{rate:.1%}", variant


def _figure(name: str, values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    if len(known) == 1:
        return _interval(name, known[0])
    plain = [value["value"] if isinstance(value, Mapping) else value for value in known]
    if any(value is None for value in plain):
        return "–"
    spread = across_seeds(plain)
    return _interval(name, (_as_share(spread, known) if name in _PER_CENT else spread).model_dump())


def _as_share(spread: Interval, seeds: Sequence[Any]) -> Interval:
    """The spread over seeds of a share, made possible and not too sure."""
    images = sum(seed["n"] for seed in seeds)
    pooled = wilson(round(sum(seed["value"] * seed["n"] for seed in seeds)), images)
    return Interval(value=spread.value, low=max(0.0, min(spread.low, pooled.low)), high=min(1.0, max(spread.high, pooled.high)), n=images)


def _interval(name: str, value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:.3f}"
    if value["value"] is None:
        return "–"
    scale, digits = (100, 1) if name in _PER_CENT else (1, 3)
    text = [f"{scale * value[part]:.{digits}f}" for part in ("value", "low", "high")]
    unit = " %" if scale == 100 else ""
    return f"{text[0]}{unit} [{text[1]}, {text[2]}]"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
