"""Squares on an image. Lengths are fractions of its shorter side, so that one patch means the same at 64 pixels and at 4,000."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from srd_core.data.samples import Image


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: columns `x0` to `x1`, rows `y0` to `y1`, upper bounds excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    def fractions(self, height: int, width: int) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) in fractions of the shorter side of an image of that size."""
        short = min(height, width)
        return self.x0 / short, self.y0 / short, self.x1 / short, self.y1 / short


def pixels(fraction: float, image: Image) -> int:
    """`fraction` of the shorter side in whole pixels, from 1 to the shorter side."""
    short = int(min(image.shape[:2]))
    return min(max(round(fraction * short), 1), short)


def nearest(pattern: Image, side: int) -> Image:
    """A square pattern (K, K, C) brought to (side, side, C) by repeating or skipping rows and columns."""
    index = ((np.arange(side) + 0.5) * len(pattern) / side).astype(np.int64)
    return pattern[index[:, None], index[None, :]]


def square_at(image: Image, side: int, x: float, y: float) -> Box:
    """The square of `side` pixels at (x, y), each from 0 (left, top) to 1 (right, bottom), wholly inside the image."""
    height, width = image.shape[:2]
    left, top = round(x * (width - side)), round(y * (height - side))
    return Box(left, top, left + side, top + side)
