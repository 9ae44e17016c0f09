"""How much of a trigger a mask hides: rectangle geometry, for patch attacks only.

Boxes are corners (x0, y0, x1, y1), ends excluded, all in one unit (fractions of the shorter side everywhere in this project).
A row that is NaN, or has no area, is no box: it covers nothing. Not covered: several masks on one image that overlap each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.float64]


def covered_share(triggers: npt.ArrayLike, masks: npt.ArrayLike) -> Shares:
    """Share of each trigger's area under the mask of the same row, shape (N,) in [0, 1]; NaN where there is no trigger."""
    trigger, mask = _boxes(triggers), _boxes(masks)
    return _share(_overlap(trigger, mask), _area(trigger))


def iou(triggers: npt.ArrayLike, masks: npt.ArrayLike) -> Shares:
    """Area of intersection over area of union, row by row, shape (N,) in [0, 1]; NaN where neither is a box."""
    trigger, mask = _boxes(triggers), _boxes(masks)
    shared = _overlap(trigger, mask)
    return _share(shared, _area(trigger) + _area(mask) - shared)


def mask_boxes(x: npt.ArrayLike, y: npt.ArrayLike, size: npt.ArrayLike) -> Shares:
    """Corners, shape (N, 4), of the square masks of N decision rows (`mask_x`, `mask_y`, `mask_size`); NaN where a row has no mask.

    They are not clipped at the image's edge, which matters to `iou` only: see `within`.
    """
    centre = np.stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)], axis=-1)
    half = np.asarray(size, dtype=np.float64)[..., None] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def within(masks: npt.ArrayLike, triggers: npt.ArrayLike) -> Shares:
    """The masks (N, 4) cut off at the image's edge, in fractions of its shorter side; NaN stays.

    How long the longer side is, is not known here: it is taken to reach as far as the trigger of the row, and at least 1. So a mask over
    the far end of an image that is not square may lose a little.
    """
    mask, ends = _boxes(masks), np.maximum(np.nan_to_num(_boxes(triggers)[:, 2:], nan=1.0), 1.0)
    return np.concatenate([np.maximum(mask[:, :2], 0.0), np.minimum(mask[:, 2:], ends)], axis=1)


def _share(part: Shares, whole: Shares) -> Shares:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _overlap(a: Shares, b: Shares) -> Shares:
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    return _area(np.concatenate([low, high], axis=1))


def _area(boxes: Shares) -> Shares:
    sides = np.nan_to_num(boxes[:, 2:] - boxes[:, :2], nan=0.0)
    return np.asarray(np.clip(sides, 0.0, None).prod(axis=1))


def _boxes(values: npt.ArrayLike) -> Shares:
    boxes = np.asarray(values, dtype=np.float64).reshape(-1, 4) if np.size(values) == 0 else np.asarray(values, dtype=np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes have shape {boxes.shape}, not (N, 4)")
    return boxes
