"""What an attacker who optimises looks through: an image encoder of his own, or one that is public."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor


HOW = "`srd poison --surrogate MODEL` works it out and keeps it beside the data; name that folder as the attack"
"""What to do about an attack that is not prepared."""

_CHUNK = 256


class Encoder(Protocol):
    """Features that are differentiable with respect to the pixels."""

    @property
    def canvas(self) -> int:
        """Side of the square input, pixels."""
        ...

    def encode(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) float in 0–255 to (N, D)."""
        ...

    def patches(self, pixels: Tensor) -> Tensor:
        """Likewise to (N, P, D), one vector a patch of the image; their mean is what `encode` gives."""
        ...

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON."""
        ...


def planes(images: Sequence[npt.NDArray[np.uint8] | npt.NDArray[np.float32]] | npt.NDArray[np.uint8]) -> Tensor:
    """N images (S, S, 3) as the (N, 3, S, S) float32 that an encoder takes."""
    import torch

    return torch.from_numpy(np.stack(list(images)).astype(np.float32)).permute(0, 3, 1, 2)


def features(pixels: Tensor, encoder: Encoder) -> Tensor:
    """Features of `pixels` (N, 3, S, S), a few at a time: (N, D), without gradients."""
    import torch

    with torch.no_grad():
        return torch.cat([encoder.encode(pixels[start : start + _CHUNK]) for start in range(0, len(pixels), _CHUNK)])


def directions(pixels: Tensor, encoder: Encoder) -> Tensor:
    """The same, each of length 1."""
    import torch

    return torch.nn.functional.normalize(features(pixels, encoder), dim=1)


def least_like_the_others(seen: Tensor) -> int:
    """Which of the features (N, D), each of length 1, is least similar to all of them."""
    return int((seen @ seen.T).mean(1).argmin())
