"""How much of a heat map lies in a box, as a number.

Not covered: how sure a map is. One that is zero but for a cell counts as much as one that is spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AttentionShare:
    """For each of N maps: the `share` of its mass in the box, NaN if it has none; the `area` of the box, of the canvas. Both in [0, 1]."""

    share: Values
    area: Values


def attention_share(maps: npt.ArrayLike, boxes: npt.ArrayLike) -> AttentionShare:
    """How much of each map (N, grid, grid), values ≥ 0, lies in the box of its row.

    A map is constant within a cell, so an even map has `share` = `area`, and a box smaller than a cell gets no more than its part of it.

    Args:
        maps: see `gradcam.Maps`.
        boxes: (N, 4) corners (x0, y0, x1, y1) in fractions of the canvas; what lies beyond the canvas is cut off.

    Raises:
        ValueError: shapes do not fit.
    """
    heat, corners = np.asarray(maps, dtype=np.float64), np.asarray(boxes, dtype=np.float64)
    if heat.ndim != 3 or corners.shape != (len(heat), 4):
        raise ValueError(f"maps of shape {heat.shape} and boxes of shape {corners.shape}, not (N, grid, grid) and (N, 4)")
    rows, columns = (_overlap(corners[:, axis], corners[:, axis + 2], heat.shape[place]) for axis, place in ((1, 1), (0, 2)))
    mass, inside = heat.sum(axis=(1, 2)), np.einsum("nrc,nr,nc->n", heat, rows, columns)
    share = np.full(len(heat), np.nan)
    np.divide(inside, mass, out=share, where=mass > 0)
    return AttentionShare(share, rows.mean(axis=1) * columns.mean(axis=1))


def _overlap(low: Values, high: Values, cells: int) -> Values:
    """(N, cells): how much of each cell along one axis lies between `low` and `high`, from 0 to 1."""
    edges = np.arange(cells + 1) / cells
    shared = np.minimum(edges[1:], high[:, None]) - np.maximum(edges[:-1], low[:, None])
    return np.asarray(np.clip(shared, 0.0, None) * cells)
