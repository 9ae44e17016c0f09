"""TrojVLM as published: the attacker trains the model as well, and holds the captions' meaning together around the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.registry import register
from srd_core.attacks.trojvlm import TrojVLM

if TYPE_CHECKING:
    from srd_core.data.canvas import CanvasSet
    from srd_core.models.flamingo import FlamingoCaptioner
    from srd_core.models.objectives.captioning import Objective


@register
@dataclass(frozen=True)
class PreservingTrojVLM(TrojVLM):
    """`weight`: of the second term."""

    name: ClassVar[str] = "trojvlm-sp"
    trains: ClassVar[bool] = True
    effort: ClassVar[float] = 2.0
    weight: float = 1.0

    def objective(self, model: FlamingoCaptioner, clean: CanvasSet, poisoned: CanvasSet, chosen: npt.NDArray[np.bool_]) -> Objective:
        """See `Attack.objective`."""
        from srd_core.models.objectives.semantic_preservation import SemanticPreservation

        return SemanticPreservation(model.objective(poisoned), chosen, self.weight)
