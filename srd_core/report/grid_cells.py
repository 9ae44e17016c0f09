"""What every table of a grid needs: what the rows of a cell are called, how much was poisoned, and a figure of several seeds as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from srd_core.report.over_seeds import SHARES, combined, fewer, told

Group = TypeVar("Group")
Cell = Mapping[str, Any]
"""A finished cell, as `srd bench` collected it."""


Naming = Callable[[Cell], tuple[str, str, str]]


def naming(cells: Sequence[Cell]) -> Naming:
    """What the rows of each of `cells` are called: attack, rate and variant. Those of the same name are seeds of each other.

    Where nothing is planted, the attack is the one whose trigger the test images have.
    """
    shares: dict[tuple[str, float, str], list[float]] = {}
    for cell in cells:
        shares.setdefault(_kind(cell), []).append(poisoned(cell))
    idle = {attack for attack, rate, _ in shares if not rate}

    def name_of(cell: Cell) -> tuple[str, str, str]:
        attack, rate, variant = kind = _kind(cell)
        nothing = "nothing planted" if len(idle) == 1 else f"nothing planted ({attack})"
        return attack if rate else nothing, _percent(rate) + otherwise(rate, shares[kind], "%"), variant

    return name_of


def _kind(cell: Cell) -> tuple[str, float, str]:
    experiment = cell["settings"]["experiment"]
    return str(experiment["attack"]), float(experiment["rate"]), str(cell["settings"]["variant"])


def _percent(rate: float) -> str:
    """With one decimal, or as many as there are."""
    told = f"{100 * rate:.10g}"
    return f"{told if '.' in told else f'{told}.0'}%"


def poisoned(cell: Cell) -> float:
    """Share of the pairs that is poisoned: the rate, where the record has it so up to rounding, or does not know.

    It is another where the rate asks for fewer than an attack plants at least, or for more than there are captions that it can be put on.
    """
    _, rate, _ = _kind(cell)
    kinds: Mapping[str, Mapping[str, int]] = next(iter(cell["scores"].get("done", {}).values()), {})
    counts = {kind: sum(actions.values()) for kind, actions in kinds.items()}
    pairs, found = sum(counts.values()), counts.get("poisoned", 0)
    return rate if abs(found - rate * pairs) < max(1.0, rate * pairs / 100) else found / pairs


def otherwise(rate: float, shares: Sequence[float], unit: str = "") -> str:
    """What stands behind a rate where the seeds' shares are not that."""
    return "" if all(share == rate for share in shares) else f" ({span(shares, unit)} poisoned)"


def span(shares: Sequence[float], unit: str) -> str:
    """From the least to the largest; per cent, if there is a unit."""
    ends = dict.fromkeys(f"{100 * end if unit else end:.3g}" for end in (min(shares), max(shares)))
    return "–".join(ends) + unit


def seed_of(cell: Cell) -> str:
    """For rows of one cell."""
    return str(cell["settings"]["experiment"]["seed"])


def seeds_of(cells: Sequence[Cell]) -> list[int]:
    """Those of any of them, in their order."""
    return sorted({int(seed_of(cell)) for cell in cells})


def ordered(groups: Mapping[tuple[str, ...], Group]) -> list[tuple[tuple[str, ...], Group]]:
    """Groups whose keys begin with a name: by attack, then by the rate as a number, then by the rest."""
    return sorted(groups.items(), key=lambda group: (group[0][0], float(group[0][1].partition("%")[0]), group[0][2:]))


def of_same_images(cells: Sequence[Cell]) -> bool:
    """Whether seeds are of the same images: shards are what they are, and scenes are other ones with every seed."""
    return any(cell["settings"]["experiment"].get("kind") == "shards" for cell in cells)


def figure(name: str, values: Sequence[Any], *, same_images: bool = False) -> str:
    """The seeds' values of the figure of that name, None where one has none, together: shares in per cent, others as they are."""
    found = combined(values, name, same_images=same_images)
    known = len(values) if found is None else sum(value is not None for value in values)
    text = told(found, scale=100, digits=1, unit=" %") if name in SHARES else told(found)
    return text + fewer(known, len(values))
