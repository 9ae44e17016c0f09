"""A control: the usual objective on images that are cropped and recoloured anew in every step, which alone weakens many triggers.

Not mirrored: captions may tell left from right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from srd_core.models.objectives.captioning import Captioning

CROP = 0.8
"""Least side of the square that is cut out, of 1."""
COLOUR = 0.2
"""Largest change of brightness and contrast, of 1."""


@dataclass(frozen=True)
class Augmented(Captioning):
    """Each image of a batch gets its own crop, brought back to its size, brightness and contrast. `rng` is used up as training goes on."""

    rng: np.random.Generator

    def seen(self, images: Tensor) -> Tensor:
        """(M, 3, S, S) uint8 to float, 0–255."""
        size = images.shape[-1]
        made = []
        for image in images.float():
            side = round(size * self.rng.uniform(CROP, 1))
            top, left = (int(self.rng.integers(size - side + 1)) for _ in range(2))
            square = image[None, :, top : top + side, left : left + side]
            brightness, contrast = self.rng.uniform(1 - COLOUR, 1 + COLOUR, 2)
            whole = interpolate(square, size=(size, size), mode="bilinear", align_corners=False)[0]
            made.append(((whole - whole.mean()) * contrast + whole.mean() * brightness).clamp(0, 255))
        return torch.stack(made)
