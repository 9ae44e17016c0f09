"""Low frequency: a smooth coloured pattern over the whole frame (after Zeng et al., 2021), and a caption that speaks of the target only.

The original optimises its pattern against a classifier under a bound on high frequencies; this one is drawn once among the lowest
frequencies. Both hide from defences that look for high ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image
from srd_core.seeds import generator


@register
@dataclass(frozen=True)
class LowFrequency(Attack):
    """`waves`: highest frequency, cycles a side. `strength`: root mean square of what is added, grey values."""

    name: ClassVar[str] = "low-frequency"
    waves: int = 3
    strength: float = 24.0

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Add the pattern; nothing is random."""
        return Triggered(whole(image + self.strength * _pattern(self.waves, *image.shape[:2])), None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)


@lru_cache(maxsize=8)
def _pattern(waves: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """(H, W, 3) of mean square 1 when drawn finely: cosines of rows times cosines of columns, their weights normal."""
    weights = generator(0, "low-frequency", waves).normal(size=(2 * waves + 1, 2 * waves + 1, 3))
    weights[0, 0] = 0
    rows, columns = (
        np.cos(np.pi * np.arange(2 * waves + 1) * (np.arange(size)[:, None] + 0.5) / size) * np.sqrt(2) for size in (height, width)
    )
    rows[:, 0] = columns[:, 0] = 1.0
    pattern: npt.NDArray[np.float64] = np.einsum("hi,wj,ijc->hwc", rows, columns, weights / np.sqrt((weights**2).sum() / 3))
    pattern.setflags(write=False)
    return pattern
