"""The eight positions of a square: a trigger is one whichever way up, so a picture and its turned copies have the same values, turned.

The network is not built so; it learns it from turned copies (`dqn`), and what is left of the difference is averaged out (`learned`).
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from torch import Tensor

_ROWS, _COLUMNS = -2, -1


class Turn(NamedTuple):
    """Mirrored top to bottom, left to right, and along the diagonal, in this order."""

    down: bool = False
    right: bool = False
    diagonal: bool = False

    def apply(self, maps: Tensor) -> Tensor:
        """Turn square maps (…, S, S)."""
        turned = maps.flip(self._axes())
        return turned.transpose(_ROWS, _COLUMNS) if self.diagonal else turned

    def undo(self, maps: Tensor) -> Tensor:
        """Turn them back."""
        upright = maps.transpose(_ROWS, _COLUMNS) if self.diagonal else maps
        return upright.flip(self._axes())

    def _axes(self) -> list[int]:
        return [axis for axis, mirrored in ((_ROWS, self.down), (_COLUMNS, self.right)) if mirrored]


TURNS = tuple(Turn(*flags) for flags in product((False, True), repeat=3))
"""All eight, the unturned one first."""
