"""A fully convolutional Q-network: one value for each grid cell and size, so that what is learned at one place holds at all of them.

The picture is brought to 8 pixels a cell; three stride-2 convolutions with even kernels keep the maps centred on the cells, two more
at cell level see the neighbours (about seven cells). A global branch gives the state value of the duelling form.
"No mask" has no output: its value is 0 by definition of the environment (reward 0, end of episode).
It stays on the CPU, wherever captioners are: it is small, and learned next to nothing on the one GPU that it was tried on.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from srd_core.hardware import autocast, has_bfloat16

CELL_PIXELS = 8
_CPU = torch.device("cpu")


class NetworkShape(BaseModel):
    """Everything needed to build the network again; stored beside its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid: int = Field(default=10, ge=1, description="Cells in a row of the action grid")
    sizes: int = Field(default=4, ge=1, description="Mask sizes a cell")
    width: int = Field(default=16, ge=1, description="Channels after the first convolution; four times as many at cell level")
    duelling: bool = Field(default=True, description="Q = V + A - mean A; otherwise the map is Q itself")


class QNetwork(nn.Module):
    """(N, 4, S, S) planes in 0-255, any S, to (N, sizes * grid * grid) values in the order of `ActionSpace`, float32."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        w = shape.width
        self.trunk = nn.Sequential(
            nn.Conv2d(4, w, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(w, 2 * w, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(2 * w, 4 * w, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(4 * w, 4 * w, 3, 1, 1), nn.ReLU(),
            nn.Conv2d(4 * w, 4 * w, 3, 1, 1), nn.ReLU(),
        )  # fmt: skip
        self.advantage = nn.Conv2d(4 * w, shape.sizes, 1)
        self.state = nn.Linear(8 * w, 1) if shape.duelling else None
        for parameter in self.trunk.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, planes: Tensor) -> Tensor:
        """Values of every mask. Computes in bfloat16 where the processor has it (three times faster), returns float32."""
        return self.values(self.features(planes))

    def features(self, planes: Tensor) -> Tensor:
        """What the trunk sees in `planes`: (N, 4 * width, grid, grid)."""
        with autocast(on=_CPU):
            seen: Tensor = self.trunk(self._picture(planes))
            return seen

    def values(self, features: Tensor) -> Tensor:
        """Values of every mask from what `features` returned."""
        with autocast(on=_CPU):
            advantage: Tensor = self.advantage(features).float().flatten(1)
            if self.state is None:
                return advantage
            value: Tensor = self.state(pooled(features)).float() + advantage - advantage.mean(1, keepdim=True)
            return value

    def _picture(self, planes: Tensor) -> Tensor:
        side = CELL_PIXELS * self.shape.grid
        if planes.shape[-1] != side:
            planes = F.interpolate(planes, size=(side, side), mode="bilinear", antialias=planes.shape[-1] > side)
        kind = torch.bfloat16 if has_bfloat16() else torch.float32
        narrow = planes.to(kind, memory_format=torch.channels_last, copy=True)
        return narrow.div_(127.5).sub_(1)


def pooled(features: Tensor) -> Tensor:
    """Mean and largest value of every channel (N, C, H, W): (N, 2 * C)."""
    return torch.cat([features.mean((2, 3)), features.amax((2, 3))], dim=1)
