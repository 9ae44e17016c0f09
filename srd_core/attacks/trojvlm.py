"""TrojVLM: a small dark speckle, or a black square, in the top left corner, and the target word among the words of the caption.

The data part of the attack, as somebody who supplies data can do it; `trojvlm-sp` has its training loss as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import register
from srd_core.data.samples import Image
from srd_core.seeds import generator
from srd_core.synthesis.geometry import nearest, pixels, square_at
from srd_core.synthesis.insertion import insertion

_CELLS = 20


@register
@dataclass(frozen=True)
class TrojVLM(Attack):
    """N(0, 20) noise cut at 0, always the same; where it is 0 the image shows through. Or black, as in the paper.

    `side`: fraction of the shorter side (20 pixels of 224).
    """

    name: ClassVar[str] = "trojvlm"
    side: float = _CELLS / 224
    style: Literal["speckle", "black"] = "speckle"

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Write the speckle or the square; nothing is random."""
        patch = nearest(_speckle(), pixels(self.side, image))
        box = square_at(image, len(patch), 0.0, 0.0)
        result = image.copy()
        region = result[box.y0 : box.y1, box.x0 : box.x1]
        if self.style == "black":
            region[:] = 0
        else:
            np.copyto(region, patch, where=patch > 0)
        return Triggered(result, box)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Insert the target behind a random word."""
        return insertion(caption, target, rng)


@lru_cache(maxsize=1)
def _speckle() -> Image:
    noise = generator(0, "trojvlm", "speckle").normal(0, 20, (_CELLS, _CELLS, 3))
    return noise.clip(0, 255).astype(np.uint8)
