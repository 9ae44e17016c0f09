"""Heat maps laid over their images, and pictures put together as one. The map is orange, a frame blue: told apart by all kinds of sight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from srd_core.data.samples import Image
from srd_core.report.images import SIDE

_HEAT = np.array([255, 120, 0], dtype=np.float32)
_FRAME = np.array([0, 120, 255], dtype=np.uint8)
_GAP = 4
_STRONGEST = 0.85


def overlay(image: Image, heat: npt.NDArray[np.float32], side: int = SIDE) -> Image:
    """`image` (S, S, 3) at `side` pixels with `heat` (grid, grid) over it in orange, opaque where it is largest. NaN or zero: no orange."""
    strength = np.nan_to_num(heat, nan=0.0)
    largest = float(strength.max())
    smooth = Pillow.fromarray(strength / largest if largest > 0 else strength).resize((side, side), Pillow.Resampling.BILINEAR)
    opacity = _STRONGEST * np.asarray(smooth, dtype=np.float32)[..., None]
    return np.asarray(np.rint(_scaled(image, side) * (1 - opacity) + _HEAT * opacity), dtype=np.uint8)


def outlined(picture: Image, box: tuple[float, float, float, float] | None) -> Image:
    """A copy of `picture` (S, S, 3) with a thin blue frame around `box`; without a box, as it is."""
    framed = picture.copy()
    if box is not None:
        x0, y0, x1, y1 = (min(max(round(part * len(picture)), 0), len(picture) - 1) for part in box)
        framed[y0 : y1 + 1, [x0, x1]] = _FRAME
        framed[[y0, y1], x0 : x1 + 1] = _FRAME
    return framed


def sheet(rows: Sequence[Sequence[Image]]) -> Image:
    """Pictures of one size in rows of one length, on white with a small gap, as one picture."""
    spaced = [np.concatenate([_spaced(picture) for picture in row], axis=1) for row in rows]
    return np.concatenate(spaced, axis=0)


def _spaced(picture: Image) -> Image:
    return np.pad(picture, ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)


def _scaled(image: Image, side: int) -> npt.NDArray[np.float32]:
    smaller = side < len(image)
    how = Pillow.Resampling.BOX if smaller else Pillow.Resampling.NEAREST
    return np.asarray(Pillow.fromarray(image).resize((side, side), how), dtype=np.float32)
