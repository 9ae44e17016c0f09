"""What a grid will cost: cells, models to be trained, policies to be learned, and how long that takes. What cells share counts once."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from flows.models import learns_policy, models_of
from flows.plan import Cell
from flows.size import Size
from srd_core.config import Arm, Config, load_config
from srd_core.data.manifest import digest
from srd_core.stages.arms import NEEDS

_LEARNED = ("canvas", "base", "reference", "reward", "synthesis", "sparring", "habituation", "policy", "holdout", "limits", "seed")
"""What a policy depends on besides the trusted set."""

_ISOLATING = dict.fromkeys(("abl", "abl-5", "abl-max", "abl-oracle"), 0.78)
_MASKING = dict.fromkeys(("srd", "collision-srd"), 0.07)
_SCREENING = {**_ISOLATING, **_MASKING, "ct": 1.45, "evidence": 0.44, "nll": 0.14, "pmi": 0.54, "vdc": 0.14, "vdc-min": 0.13}
"""What an arm takes before its models are trained, as a share of one training; other arms take next to nothing. docs/results/cost.md"""

WITHOUT_BFLOAT16 = 4.0
"""How much longer everything takes on processors that do not multiply bfloat16: a model of the scenes 134 s for 30 s."""

_FROM = ("canvas", "base", "holdout", "limits", "seed")
"""What a model depends on whose data no policy has touched."""


@dataclass(frozen=True)
class Cost:
    """Of one cell: models that no earlier cell trains, and whether a policy is learned that no earlier cell learns."""

    cell: str
    models: int
    learns: bool
    finished: bool
    seconds: float
    """On two cores, as far as the size says; 0 when finished."""


def costs(
    cells: Sequence[Cell], size: Size, finished: Container[str], *, elsewhere: Container[str] = (), slower: float = 1.0
) -> list[Cost]:
    """One a cell, in their order.

    Args:
        cells: all that are wanted.
        size: says how long things take.
        finished: names of cells.
        elsewhere: names of those of them that another machine finished: what they learned and trained is not here.
        slower: than the processor that the size's figures are of.
    """
    known: set[str] = set()
    trained: dict[str, Arm] = {}
    found = []
    for cell in cells:
        config = load_config(cell.profile, None, [*cell.settings, f"evaluation.attack={cell.experiment.attack}"])
        learned, models = digest([config.slice(_LEARNED), cell.experiment.trusted]), _models(cell, config)
        done, fresh = cell.name in finished, {model: arm for model, arm in models.items() if model not in trained}
        learns = learns_policy(config) and learned not in known
        if cell.name not in elsewhere:
            known |= {learned} if learns else set()
            trained |= models
        units = len(fresh) + sum(_SCREENING.get(arm, 0.0) for arm in set(fresh.values()))
        seconds = slower * (units * size.seconds.get("model", 0.0) + learns * size.seconds.get("seed", 0.0))
        found.append(Cost(cell.name, len(fresh), learns, done, 0.0 if done else seconds))
    return found


def _models(cell: Cell, config: Config) -> dict[str, Arm]:
    """The arm of each model of a cell, by the digest of all that the model depends on: no test set."""
    shared = [
        cell.experiment.model_dump(mode="json", exclude={"test_shifts"}),
        config.slice(("retrain.schedule", "cleanse.quality", "cleanse.verbatim")),
    ]
    return {digest([arm, protocol, *shared, config.slice(_reads(arm))]): arm for arm, protocol in models_of(config)}


def _reads(arm: Arm) -> tuple[str, ...]:
    return (*_LEARNED, "evidence") if NEEDS.get(arm) else _FROM
