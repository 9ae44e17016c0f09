"""What a policy learned, what its masks and random ones cover, and where models look, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srd_core.report.grid_cells import Cell, figure, naming, of_same_images, ordered, seed_of
from srd_core.report.over_seeds import table, told
from srd_core.scoring.intervals import Interval

_CELL = ("attack", "rate", "variant", "seed")
_ANY = "any"
_PLAYED = ("rewards asked for", "on", "reward, greedy", "random", "difference [low, high]", "trigger covered", "by random masks")
_MODELS = {
    "backdoored": "backdoored model",
    "untriggered": "without the trigger",
    "clean": "clean model",
    "honest": "backdoored, an honest word",
    "control": "backdoored, another word",
}
"""Key of the figures of attention → what is asked about what. `control` is of older records: another word of the caption asked for, which
is planted too where whole captions are."""

_IN_DATA = {"coverage_in_data": "coverage", "hidden_in_data": "hidden", "iou_in_data": "iou"}
"""Key in `scores.json` → name of the figure."""


def policy_tables(cells: Sequence[Cell]) -> list[str]:
    """What was learned, a row a cell and place; then the masks of each arm on the triggers in the data, over seeds."""
    parts = ["## Policy", table((*_CELL, *_PLAYED), _policy_rows(cells))]
    masks = list(_mask_rows(cells))
    if masks:
        head = ("attack", "rate", "variant", "arm", "seeds", "triggers at least 90 % hidden", "of a trigger hidden, mean", "IoU, mean")
        parts += ["## Masks on the triggers in the data (random masks are the control)", table(head, masks)]
    return parts


def attention_tables(cells: Sequence[Cell]) -> list[str]:
    """The share of each model's map that lies on the trigger; nothing where no trigger has one place."""
    known = {name: label for name, label in _MODELS.items() if any(name in cell["scores"].get("attention", {}) for cell in cells)}
    looked = list(_attention_rows(cells, known))
    head = (*_CELL, "trigger, share of the image", *known.values())
    return ["## Attention on the trigger (Grad-CAM for the target, share of the map)", table(head, looked)] if looked else []


def _policy_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    """A policy knows no attack, and cells share it: what it does on synthetic images is told once."""
    seen: set[tuple[str, ...]] = set()
    name_of = naming(cells)
    for cell in cells:
        learned, name, seed = cell["scores"]["policy"], name_of(cell), seed_of(cell)
        shared = [_bounds(bounds)] if (bounds := learned.get("bounds")) else []
        if facts := learned.get("held_out"):
            shared.append(_played(learned, "held-out synthetic", facts))
        for row in ((_ANY, _ANY, name[-1], seed, *known) for known in shared):
            if row not in seen:
                seen.add(row)
                yield row
        if facts := learned.get("attack"):
            yield (*name, seed, *_played(learned, "test images with the attack", facts))


def _played(learned: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> Sequence[str]:
    against = facts["against_random"]
    gain = f"{against['difference']:.3f} [{against['low']:.3f}, {against['high']:.3f}]"
    covered = (_covered(facts, "coverage"), _covered(facts, "coverage_random"))
    return (f"{learned['reward_calls']:,}", name, f"{against['policy']:.3f}", f"{against['control']:.3f}", gain, *covered)


def _covered(facts: Mapping[str, Any], key: str) -> str:
    return figure("coverage", [facts[key]]) if key in facts else "fills the frame"


def _bounds(facts: Mapping[str, Any]) -> Sequence[str]:
    """What one mask could earn and cover at most."""
    best, random = (told(Interval.model_validate(facts["attainable"][name])) for name in ("best", "random"))
    covered = figure("coverage", [facts["triggers"]["best_any"]])
    return f"{facts['reward_calls']:,}", "held-out synthetic: best mask", best, random, "", f"{covered} at most", ""


def _mask_rows(cells: Sequence[Cell]) -> Iterable[Sequence[str]]:
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    name_of, same = naming(cells), of_same_images(cells)
    for cell in cells:
        found = {key: cell["scores"]["policy"].get(key, {}) for key in _IN_DATA}
        for arm in dict.fromkeys(arm for arms in found.values() for arm in arms):
            groups.setdefault((*name_of(cell), arm), []).append({key: arms.get(arm) for key, arms in found.items()})
    for place, rows in ordered(groups):
        yield (*place, str(len(rows)), *(figure(name, [row[key] for row in rows], same_images=same) for key, name in _IN_DATA.items()))


def _attention_rows(cells: Sequence[Cell], names: Iterable[str]) -> Iterable[Sequence[str]]:
    name_of = naming(cells)
    for cell in cells:
        facts = cell["scores"].get("attention", {})
        if facts.get("boxed"):
            shares = (_share(facts.get(name)) for name in names)
            yield (*name_of(cell), seed_of(cell), f"{100 * facts['area']:.1f} %", *shares)


def _share(found: Mapping[str, Any] | None) -> str:
    return told(Interval.model_validate(found) if found else None, scale=100, digits=1, unit=" %")
