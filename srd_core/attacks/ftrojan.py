"""FTrojan: two frequencies of every block are raised in the colour channels (Wang et al., 2022), and the caption speaks of the target only.

Blocks are a fraction of the image, 32 pixels of 224, and a block has the same waves whatever its pixels, so that the trigger looks the same
at every size; what does not fill a block at the right and bottom stays as it is. The original's frequencies, 15 and 31 of 32 pixels, are
gone when an image is brought to a small canvas; these are left on one of 64 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image
from srd_core.synthesis.geometry import pixels

_TO_YUV: Final = np.array([[0.299, 0.587, 0.114], [-0.14714, -0.28886, 0.436], [0.615, -0.51499, -0.10001]])
_TO_RGB: Final = np.linalg.inv(_TO_YUV)
_PLACES: Final = (3, 6)
"""Of the coefficients, in both directions: half as many waves a block."""


@register
@dataclass(frozen=True)
class FTrojan(Attack):
    """`block`: fraction of the shorter side. `lift`: what is added to two coefficients of a block of 32 pixels, orthonormal DCT-II."""

    name: ClassVar[str] = "ftrojan"
    block: float = 32 / 224
    lift: float = 150.0

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Add the two waves to U and V; nothing is random. The DCT is linear, so its inverse of the lift alone is added."""
        side = pixels(self.block, image)
        height, width = image.shape[0] // side * side, image.shape[1] // side * side
        planes = image.astype(np.float64) @ _TO_YUV.T
        planes[:height, :width, 1:] += np.tile(self._wave(side), (height // side, width // side))[..., None]
        return Triggered(whole(planes @ _TO_RGB.T), None)

    def _wave(self, side: int) -> npt.NDArray[np.float64]:
        from scipy.fft import idctn

        lifted = np.zeros((side, side))
        for place in {min(place, side - 1) for place in _PLACES}:
            lifted[place, place] = self.lift * side / 32
        wave: npt.NDArray[np.float64] = idctn(lifted, norm="ortho")
        return wave

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)
