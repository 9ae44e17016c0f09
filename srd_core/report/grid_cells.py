"""What every table of a grid needs: which cell a row is of, and a figure of several seeds as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from srd_core.report.over_seeds import SHARES, combined, told

Group = TypeVar("Group")
Cell = Mapping[str, Any]
"""A finished cell, as `srd bench` collected it."""


def about(cell: Cell) -> tuple[str, str, str]:
    """Attack, rate and variant."""
    experiment = cell["settings"]["experiment"]
    rate = float(experiment["rate"])
    return str(experiment["attack"]) if rate else "nothing planted", f"{rate:.1%}", str(cell["settings"]["variant"])


def of_seed(cell: Cell) -> tuple[str, str, str, str]:
    """Attack, rate, variant and seed, for rows of one cell."""
    return (*about(cell), str(cell["settings"]["experiment"]["seed"]))


def ordered(groups: Mapping[tuple[str, ...], Group]) -> list[tuple[tuple[str, ...], Group]]:
    """Groups whose keys begin with `about`: by attack, then by the rate as a number, then by the rest."""
    return sorted(groups.items(), key=lambda group: (group[0][0], float(group[0][1].removesuffix("%")), group[0][2:]))


def of_same_images(cells: Sequence[Cell]) -> bool:
    """Whether seeds are of the same images: shards are what they are, and scenes are other ones with every seed."""
    return any(cell["settings"]["experiment"].get("kind") == "shards" for cell in cells)


def figure(name: str, values: Sequence[Any], *, same_images: bool = False) -> str:
    """The seeds' values of the figure of that name, together: shares in per cent, others as they are."""
    found = combined(values, name, same_images=same_images)
    return told(found, scale=100, digits=1, unit=" %") if name in SHARES else told(found)
