"""Values on the action grid as pictures: where a policy masks (one hue), and what it expects there (two hues around 0).

Strength is opacity, so that both themes show it; signs are blue and orange, which all common kinds of colour vision tell apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from srd_core.analysis.svg import BLUE, FAINT, INK, ORANGE, drawing, element

_CELL = 10.0

Cells = npt.NDArray[np.float64]


def count_map(counts: npt.ArrayLike, most: float, title: str) -> str:
    """Counts (rows, columns) on a scale from 0 to `most`, in one hue."""
    cells = _cells(counts)
    return _grid(cells, title, np.clip(cells / most, 0.0, 1.0) if most > 0 else np.zeros_like(cells), None)


def value_map(values: npt.ArrayLike, largest: float, title: str, chosen: tuple[int, int] | None = None) -> str:
    """Signed values (rows, columns) on a scale from -`largest` to `largest`; `chosen` (row, column) is outlined. NaN cells stay empty."""
    cells = np.nan_to_num(_cells(values), nan=0.0, posinf=largest, neginf=-largest)
    return _grid(cells, title, np.clip(cells / largest, -1.0, 1.0) if largest > 0 else np.zeros_like(cells), chosen)


def _cells(values: npt.ArrayLike) -> Cells:
    cells = np.asarray(values, dtype=np.float64)
    if cells.ndim != 2 or not cells.size:
        raise ValueError(f"expected a grid of values (rows, columns), got shape {cells.shape}")
    return cells


def _grid(cells: Cells, title: str, strength: Cells, chosen: tuple[int, int] | None) -> str:
    rows, columns = cells.shape
    width, height = columns * _CELL, rows * _CELL
    parts = [element("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, fill="none", stroke=FAINT)]
    for row, column in np.argwhere(np.abs(strength) > 0.004).tolist():
        value = float(strength[row, column])
        parts.append(
            element(
                "rect",
                x=column * _CELL + 0.5,
                y=row * _CELL + 0.5,
                width=_CELL - 1,
                height=_CELL - 1,
                rx=1,
                fill=BLUE if value > 0 else ORANGE,
                fill_opacity=0.08 + 0.92 * abs(value),
            )
        )
    if chosen is not None:
        row, column = chosen
        parts.append(
            element("rect", x=column * _CELL, y=row * _CELL, width=_CELL, height=_CELL, rx=1.5, fill="none", stroke=INK, stroke_width=1.6)
        )
    return drawing(width, height, title, *parts, class_="grid")
