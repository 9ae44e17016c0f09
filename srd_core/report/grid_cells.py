"""What every table of a grid needs: what the rows of a cell are called, and a figure of several seeds as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from srd_core.report.over_seeds import SHARES, combined, told

Group = TypeVar("Group")
Cell = Mapping[str, Any]
"""A finished cell, as `srd bench` collected it."""


Naming = Callable[[Cell], tuple[str, str, str]]


def naming(cells: Sequence[Cell]) -> Naming:
    """What the rows of each of `cells` are called: attack, rate and variant. Those of the same name are seeds of each other.

    Where nothing is planted, the attack is the one whose trigger the test images have.
    """
    names: dict[tuple[str, float, str], tuple[str, str, str]] = {}
    idle = {attack for attack, rate, _ in map(_kind, cells) if not rate}
    for attack, rate, variant in map(_kind, cells):
        nothing = "nothing planted" if len(idle) == 1 else f"nothing planted ({attack})"
        names[attack, rate, variant] = (attack if rate else nothing, _percent(rate), variant)
    return lambda cell: names[_kind(cell)]


def _kind(cell: Cell) -> tuple[str, float, str]:
    experiment = cell["settings"]["experiment"]
    return str(experiment["attack"]), float(experiment["rate"]), str(cell["settings"]["variant"])


def _percent(rate: float) -> str:
    """With one decimal, or as many as there are."""
    told = f"{100 * rate:.10g}"
    return f"{told if '.' in told else f'{told}.0'}%"


def seed_of(cell: Cell) -> str:
    """For rows of one cell."""
    return str(cell["settings"]["experiment"]["seed"])


def ordered(groups: Mapping[tuple[str, ...], Group]) -> list[tuple[tuple[str, ...], Group]]:
    """Groups whose keys begin with a name: by attack, then by the rate as a number, then by the rest."""
    return sorted(groups.items(), key=lambda group: (group[0][0], float(group[0][1].removesuffix("%")), group[0][2:]))


def of_same_images(cells: Sequence[Cell]) -> bool:
    """Whether seeds are of the same images: shards are what they are, and scenes are other ones with every seed."""
    return any(cell["settings"]["experiment"].get("kind") == "shards" for cell in cells)


def figure(name: str, values: Sequence[Any], *, same_images: bool = False) -> str:
    """The seeds' values of the figure of that name, together: shares in per cent, others as they are."""
    found = combined(values, name, same_images=same_images)
    return told(found, scale=100, digits=1, unit=" %") if name in SHARES else told(found)
