"""What every table of a grid needs: which cell a row is of, and a figure of several seeds as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from srd_core.report.over_seeds import SHARES, combined, told

Cell = Mapping[str, Any]
"""A finished cell, as `srd bench` collected it."""


def about(cell: Cell) -> tuple[str, str, str]:
    """Attack, rate and variant."""
    experiment = cell["settings"]["experiment"]
    rate = float(experiment["rate"])
    return str(experiment["attack"]) if rate else "nothing planted", f"{rate:.1%}", str(cell["settings"]["variant"])


def of_seed(cell: Cell) -> str:
    """Variant and seed, for rows of one cell."""
    return f"{cell['settings']['variant']}, seed {cell['settings']['experiment']['seed']}"


def figure(name: str, values: Sequence[Any]) -> str:
    """The seeds' values of the figure of that name, together: shares in per cent, others as they are."""
    found = combined(values, name)
    return told(found, scale=100, digits=1, unit=" %") if name in SHARES else told(found)
