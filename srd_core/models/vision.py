"""A small convolutional vision encoder for models made from nothing, in the place of CLIP's transformer.

In the seconds in which this one came from 0.44 to 0.29 nats a word on 500 scenes, a transformer came to 0.41 (`bench/vision_encoders.py`):
published ones have seen hundreds of millions of images. Same interface as open_clip's towers: pooled features and tokens.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from srd_core.errors import ConfigError


class ConvolutionalEncoder(nn.Module):
    """Strided 3x3 convolutions with batch normalisation, then a learned position for each cell.

    Args:
        canvas: side of the input, pixels.
        patch: pixels a cell, a product of 2s and 3s; the grid is `canvas / patch` cells a side.
        width: channels of a token.
        layers: further convolutions at full depth.
    """

    def __init__(self, canvas: int, patch: int, width: int, layers: int) -> None:
        super().__init__()
        strides = [*_strides(patch), *([1] * layers)]
        blocks: list[nn.Module] = []
        channels = 3
        for number, stride in enumerate(strides):
            wider = min(width, max(width >> max(len(_strides(patch)) - 1 - number, 0), 16))
            blocks += [nn.Conv2d(channels, wider, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]
            channels = wider
        self.blocks = nn.Sequential(*blocks)
        self.position = nn.Parameter(0.2 * torch.randn((canvas // patch) ** 2, width))
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) normalised pixels → pooled (N, width), tokens (N, grid², width)."""
        cells = self.blocks(pixels).flatten(2).transpose(1, 2)
        tokens = cast(Tensor, self.norm(cells + self.position))
        return tokens.mean(dim=1), tokens


def _strides(patch: int) -> list[int]:
    """Factors of `patch`, 2s and 3s, small ones last.

    Raises:
        ConfigError: it has other factors.
    """
    strides, rest = [], patch
    for factor in (3, 2):
        while rest % factor == 0:
            strides.append(factor)
            rest //= factor
    if rest != 1 or not strides:
        raise ConfigError(f"vision.patch = {patch} is not a product of 2s and 3s", hint="Use 4, 6, 8, 12 or 16 with kind: convolutions")
    return strides
