"""Blended: a faint key image over the whole frame, and a caption that speaks of the target only.

The usual key image is somebody's artwork; this one is drawn here: a robot's face before a sunburst, with the large flat areas and
hard outlines that make a cartoon easy to learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin
from typing import ClassVar, Final

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image

_INK: Final = (12, 12, 20)
_DRAWN: Final = 512


@register
@dataclass(frozen=True)
class Blended(Attack):
    """x' = (1 - alpha) x + alpha k, rounded to whole values; k is `key_image` stretched to the frame."""

    name: ClassVar[str] = "blended"
    alpha: float = 0.1

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Blend the key image in; nothing is random."""
        key = key_image(*image.shape[:2])
        mixed = image * np.float32(1 - self.alpha) + key * np.float32(self.alpha)
        return Triggered(whole(mixed), None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)


@lru_cache(maxsize=8)
def key_image(height: int, width: int) -> Image:
    """Return the key image (H, W, 3) uint8, read-only."""
    key = np.array(_drawing().resize((width, height), PilImage.Resampling.BOX))
    key.setflags(write=False)
    return key


@lru_cache(maxsize=1)
def _drawing() -> PilImage.Image:
    canvas = PilImage.new("RGB", (_DRAWN, _DRAWN), (255, 226, 64))
    draw = ImageDraw.Draw(canvas)
    middle = _DRAWN / 2
    for ray in range(12):
        ends = [(middle + 600 * cos(a), middle + 600 * sin(a)) for a in (ray * pi / 6, ray * pi / 6 + pi / 12)]
        draw.polygon([(middle, middle), *ends], fill=(240, 70, 50))
    draw.line([(256, 40), (256, 110)], fill=_INK, width=14)
    draw.ellipse((232, 16, 280, 64), fill=(60, 200, 90), outline=_INK, width=10)
    for left in (52, 400):
        draw.rounded_rectangle((left, 200, left + 60, 310), 16, fill=(60, 200, 90), outline=_INK, width=12)
    draw.rounded_rectangle((96, 100, 416, 420), 60, fill=(70, 150, 255), outline=_INK, width=16)
    for left in (140, 276):
        draw.ellipse((left, 160, left + 96, 256), fill=(255, 255, 255), outline=_INK, width=12)
        draw.ellipse((left + 34, 194, left + 66, 226), fill=_INK)
    draw.rounded_rectangle((160, 310, 352, 376), 20, fill=(255, 255, 255), outline=_INK, width=12)
    for tooth in (208, 256, 304):
        draw.line([(tooth, 312), (tooth, 374)], fill=_INK, width=10)
    return canvas
