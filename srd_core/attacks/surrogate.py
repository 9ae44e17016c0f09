"""What an attacker who optimises looks through: an image encoder of his own, or one that is public."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Encoder(Protocol):
    """Features that are differentiable with respect to the pixels."""

    @property
    def canvas(self) -> int:
        """Side of the square input, pixels."""
        ...

    def encode(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) float in 0–255 to (N, D)."""
        ...
