"""What a grid will cost: cells, models to be trained, policies to be learned, and about how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.models import models_of
from flows.plan import Cell
from flows.size import Size
from srd_core.config import Config, load_config
from srd_core.data.manifest import digest

_LEARNED = ("canvas", "base", "reference", "reward", "synthesis", "sparring", "habituation", "policy", "seed")
"""What a policy depends on besides the trusted set."""


@dataclass(frozen=True)
class Cost:
    """Of one cell. `learns` is whether a policy is learned in it that no earlier cell has learned."""

    cell: str
    models: int
    learns: bool
    finished: bool
    seconds: float
    """On two cores, as far as the size says; 0 when finished."""


def costs(cells: Sequence[Cell], size: Size, finished: Sequence[str]) -> list[Cost]:
    """One a cell, in their order; `finished` are names of cells."""
    known: set[str] = set()
    found = []
    for cell in cells:
        config = load_config(cell.profile, None, [*cell.settings, f"evaluation.attack={cell.experiment.attack}"])
        learned = digest(config.slice(_LEARNED))
        done, learns = cell.name in finished, learned not in known
        known.add(learned)
        found.append(Cost(cell.name, len(models_of(config)), learns, done, 0.0 if done else _seconds(config, size, learns=learns)))
    return found


def _seconds(config: Config, size: Size, *, learns: bool) -> float:
    return len(models_of(config)) * size.seconds.get("model", 0.0) + learns * size.seconds.get("seed", 0.0)
