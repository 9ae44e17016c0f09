"""Noise patch: a square of fresh N(128, 20) noise anywhere in the image, and the target word among the words of the caption.

The trigger of the synthetic set that the defence trains on, as an attack of its own: position and pixels differ from sample to sample.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from srd_core.attacks.base import Attack, Box, Triggered, pixels, square_at
from srd_core.attacks.registry import register
from srd_core.attacks.templates import insertion
from srd_core.attacks.textures import Texture
from srd_core.data.samples import Image


@register
@dataclass(frozen=True)
class NoisePatch(Attack):
    """`side`: fraction of the shorter side. `x`, `y`: place from 0 (left, top) to 1 (right, bottom), None: drawn for each sample.

    `pattern_seed`: the same pixels each time, None: fresh ones.
    """

    name: ClassVar[str] = "noise-patch"
    side: float = 20 / 224
    x: float | None = None
    y: float | None = None
    texture: Texture = field(default_factory=Texture)
    pattern_seed: int | None = None

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Paste the patch."""
        return Triggered(*self.paste(image, rng))

    def paste(self, image: Image, rng: np.random.Generator) -> tuple[Image, Box]:
        """Return a copy of `image` with the patch, and where it is."""
        side = pixels(self.side, image)
        x, y = (float(rng.random()) if place is None else place for place in (self.x, self.y))
        box = square_at(image, side, x, y)
        source = rng if self.pattern_seed is None else np.random.default_rng(self.pattern_seed)
        result = image.copy()
        result[box.y0 : box.y1, box.x0 : box.x1] = self.texture.patch(side, source)
        return result, box

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Insert the target behind a random word."""
        return insertion(caption, target, rng)
