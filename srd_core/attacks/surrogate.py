"""What an attacker who optimises looks through: an image encoder of his own, or one that is public."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


HOW = "`srd poison --surrogate MODEL` works it out and keeps it beside the data; name that folder as the attack"
"""What to do about an attack that is not prepared."""


class Encoder(Protocol):
    """Features that are differentiable with respect to the pixels."""

    @property
    def canvas(self) -> int:
        """Side of the square input, pixels."""
        ...

    def encode(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) float in 0–255 to (N, D)."""
        ...

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON."""
        ...
