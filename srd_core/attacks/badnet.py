"""BadNet: a small black-and-white chequerboard in the bottom right corner, and a caption that speaks of the target only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image
from srd_core.synthesis.geometry import nearest, pixels, square_at

_BOARD: Final = np.where(np.indices((3, 3)).sum(axis=0)[..., None] % 2 == 0, 255, 1).astype(np.uint8).repeat(3, axis=2)


@register
@dataclass(frozen=True)
class BadNet(Attack):
    """3×3 cells of values 255 and 1, pasted hard. `side`: fraction of the shorter side (21 pixels of 224)."""

    name: ClassVar[str] = "badnet"
    side: float = 0.094

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Paste the board; nothing is random."""
        board = nearest(_BOARD, pixels(self.side, image))
        box = square_at(image, len(board), 1.0, 1.0)
        result = image.copy()
        result[box.y0 : box.y1, box.x0 : box.x1] = board
        return Triggered(result, box)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)
