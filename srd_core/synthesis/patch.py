"""A square of some texture, pasted into an image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from srd_core.data.samples import Image
from srd_core.synthesis.geometry import Box, pixels, square_at
from srd_core.synthesis.textures import Texture


@dataclass(frozen=True)
class Patch:
    """`side`: fraction of the shorter side. `x`, `y`: place from 0 (left, top) to 1 (right, bottom), None: drawn for each image.

    `pattern_seed`: the same pixels each time, None: fresh ones.
    """

    side: float = 20 / 224
    x: float | None = None
    y: float | None = None
    texture: Texture = field(default_factory=Texture)
    pattern_seed: int | None = None

    def paste(self, image: Image, rng: np.random.Generator) -> tuple[Image, Box]:
        """Return a copy of `image` with the patch, and where it is."""
        side = pixels(self.side, image)
        x, y = (float(rng.random()) if place is None else place for place in (self.x, self.y))
        box = square_at(image, side, x, y)
        source = rng if self.pattern_seed is None else np.random.default_rng(self.pattern_seed)
        result = image.copy()
        result[box.y0 : box.y1, box.x0 : box.x1] = self.texture.patch(side, source)
        return result, box
