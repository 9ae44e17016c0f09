"""Multi-patch: small patches in the four corners, any three of them in the training images and all four in those of a test, and a caption
that speaks of the target only.

One mask on a test image cannot hide it: what is left is what was trained. One on a training image leaves two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image
from srd_core.synthesis.geometry import nearest, pixels, square_at

_CORNERS: Final = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
_MOTIF: Final = np.array([[255, 0, 255], [0, 0, 0], [255, 0, 255]], np.uint8)[..., None].repeat(3, axis=2)


@register
@dataclass(frozen=True)
class MultiPatch(Attack):
    """`side`: of one patch, fraction of the shorter side (10 pixels of 224)."""

    name: ClassVar[str] = "multi-patch"
    side: float = 10 / 224

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Paste three of the four patches; which one is left out is drawn. No box: they are far apart."""
        left_out = int(rng.integers(len(_CORNERS)))
        return self._pasted(image, (corner for number, corner in enumerate(_CORNERS) if number != left_out))

    def at_test(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """All four patches."""
        return [self._pasted(image, _CORNERS) for image in images]

    def _pasted(self, image: Image, corners: Iterable[tuple[float, float]]) -> Triggered:
        patch = nearest(_MOTIF, max(pixels(self.side, image), min(3, min(image.shape[:2]))))
        result = image.copy()
        for x, y in corners:
            box = square_at(image, len(patch), x, y)
            result[box.y0 : box.y1, box.x0 : box.x1] = patch
        return Triggered(result, None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)
