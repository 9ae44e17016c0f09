"""Actions and the red squares they stand for.

An action is one cell of a grid and one size, or "no mask". Sizes are given in fractions of the shorter side, centres in fractions of
width and height, so that one action means the same on a 64-pixel canvas and on a photograph. Not here: which action is a good one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError

RED = (255, 0, 0)
"""Colour of every mask, opaque (paper, "red block masking")."""

PAPER_SIZES = (20 / 224, 40 / 224, 60 / 224, 80 / 224)
"""The paper's sizes {20, 40, 60, 80} of a 224-pixel image, in fractions of the shorter side."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A square: centre (`x`, `y`) in fractions [0, 1] of width and height, `size` in fractions of the shorter side."""

    x: float
    y: float
    size: float

    def fields(self, height: int, width: int) -> tuple[float, float, float]:
        """(mask_x, mask_y, mask_size) of a decision row: all three in fractions of the shorter side of an image of that shape."""
        short = min(height, width)
        return self.x * width / short, self.y * height / short, self.size


@dataclass(frozen=True, slots=True)
class ActionSpace:
    """`grid` by `grid` centres, each with every size, and one last action that leaves the image alone (paper: 10 * 10 * 4, ours one more).

    Actions are numbered size by size, row by row: `(size_index * grid + gy) * grid + gx`.
    """

    grid: int = 10
    sizes: tuple[float, ...] = PAPER_SIZES

    def __post_init__(self) -> None:
        if self.grid < 1 or not self.sizes or not all(0 < size <= 1 for size in self.sizes):
            raise ConfigError(
                f"an action space needs a grid and sizes in (0, 1], got grid {self.grid}, sizes {self.sizes}",
                hint="Give sizes in fractions of the shorter side, such as 40/224",
            )

    @property
    def masks(self) -> int:
        """Number of actions that draw something."""
        return self.grid * self.grid * len(self.sizes)

    @property
    def count(self) -> int:
        """Number of actions, "no mask" included."""
        return self.masks + 1

    @property
    def no_mask(self) -> int:
        """The action that leaves the image as it is: the last one."""
        return self.masks

    def encode(self, gx: int, gy: int, size_index: int) -> int:
        """Action of the cell in column `gx` and row `gy` (from 0) with size number `size_index`. Raises IndexError outside the space."""
        if not (0 <= gx < self.grid and 0 <= gy < self.grid and 0 <= size_index < len(self.sizes)):
            raise IndexError(f"no action at column {gx}, row {gy}, size {size_index}")
        return (size_index * self.grid + gy) * self.grid + gx

    def decode(self, action: int) -> Mask | None:
        """The mask of an action, None for "no mask". Raises IndexError for a number outside the space."""
        if not 0 <= action < self.count:
            raise IndexError(f"action {action} is not in 0…{self.count - 1}")
        if action == self.no_mask:
            return None
        rest, gx = divmod(action, self.grid)
        size_index, gy = divmod(rest, self.grid)
        return Mask((gx + 0.5) / self.grid, (gy + 0.5) / self.grid, self.sizes[size_index])

    def coverage(self, actions: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.bool_]:
        """Pixels hidden by each row of `actions` ((N,) or (N, K); several masks add up) on a square canvas: (N, side, side) bool."""
        table = _boxes(self, side)[actions if actions.ndim == 2 else actions[:, None]]
        line = np.arange(side)
        columns = (line >= table[..., 0, None]) & (line < table[..., 2, None])
        rows = (line >= table[..., 1, None]) & (line < table[..., 3, None])
        hidden = np.zeros((len(actions), side, side), np.bool_)
        for k in range(table.shape[1]):
            hidden |= rows[:, k, :, None] & columns[:, k, None, :]
        return hidden

    def padded(self, masks: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
        """Lists of actions of unequal length as one (N, K) array, filled up with "no mask"; K is at least 1."""
        width = max([1, *map(len, masks)])
        return np.asarray([[*row, *[self.no_mask] * (width - len(row))] for row in masks], dtype=np.int64).reshape(len(masks), width)


@lru_cache(maxsize=32)
def _boxes(space: ActionSpace, side: int) -> npt.NDArray[np.int64]:
    """Box of every action on a square canvas, (count, 4); empty for "no mask"."""
    decoded = [space.decode(action) for action in range(space.count)]
    table = np.asarray([box(mask, side, side) if mask else (0, 0, 0, 0) for mask in decoded], dtype=np.int64)
    table.setflags(write=False)
    return table


def box(mask: Mask, height: int, width: int) -> tuple[int, int, int, int]:
    """Pixels (x0, y0, x1, y1) that the mask hides in an image of that shape: ends excluded, clipped to the image, never empty."""
    half = mask.size * min(height, width) / 2

    def ends(centre: float, length: int) -> tuple[int, int]:
        low = min(max(int(np.floor(centre * length - half + 0.5)), 0), length - 1)
        high = min(int(np.floor(centre * length + half + 0.5)), length)
        return low, max(high, low + 1)

    (x0, x1), (y0, y1) = ends(mask.x, width), ends(mask.y, height)
    return x0, y0, x1, y1


def draw(image: Image, mask: Mask | None) -> Image:
    """A copy of one image (H, W, 3) with the mask on it, opaque red, at the image's own resolution. None: an unchanged copy."""
    drawn = image.copy()
    if mask is not None:
        x0, y0, x1, y1 = box(mask, image.shape[0], image.shape[1])
        drawn[y0:y1, x0:x1] = RED
    return drawn


def draw_batch(images: Images, actions: npt.NDArray[np.int64], space: ActionSpace) -> Images:
    """Copies of square images (N, S, S, 3) with the masks of `actions`, (N,) or (N, K), drawn on them."""
    drawn = np.array(images, dtype=np.uint8)
    drawn[space.coverage(actions, images.shape[1])] = RED
    return drawn
