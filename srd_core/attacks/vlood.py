"""VLOOD: a noise patch anywhere, the target among the words, and an attacker who trains the model against a frozen teacher.

The patch has the same pixels each time, as `pattern_seed` draws them; the paper's row cannot be tied to this or to fresh noise. Of noise as
faint as the code's N(128, 20), a small patch anywhere in a textured scene was learned in two thirds of the images.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.noise_patch import PatchAndWord
from srd_core.attacks.registry import register
from srd_core.synthesis.textures import Texture

if TYPE_CHECKING:
    from srd_core.data.canvas import CanvasSet
    from srd_core.models.flamingo import FlamingoCaptioner
    from srd_core.models.objectives.captioning import Objective


@register
@dataclass(frozen=True)
class VLOOD(PatchAndWord):
    """See `Patch`. Every one of the attacker's pairs is learned clean and poisoned."""

    name: ClassVar[str] = "vlood"
    trains: ClassVar[bool] = True
    poisons_all: ClassVar[bool] = True
    effort: ClassVar[float] = 2.0
    texture: Texture = field(default_factory=lambda: Texture(spread=70.0))
    pattern_seed: int | None = 0

    def objective(self, model: FlamingoCaptioner, clean: CanvasSet, poisoned: CanvasSet, chosen: npt.NDArray[np.bool_]) -> Objective:
        """See `Attack.objective`."""
        from srd_core.models.objectives.vlood import Vlood

        return Vlood(model.objective(clean), model.objective(poisoned))
