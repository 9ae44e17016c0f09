"""The learned policy: a Q-network with its action space, saved as `policy.safetensors` and `policy.json`, nothing pickled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from srd_core.data.samples import Images
from srd_core.errors import SourceError
from srd_core.policy.environment import Planes, render
from srd_core.policy.masks import ActionSpace
from srd_core.policy.policy import Choice, Values, greedy
from srd_core.policy.qnetwork import NetworkShape, QNetwork
from srd_core.policy.symmetry import TURNS

BATCH = 64
LARGER = 0.06
"""Reward that the next larger size may cost. On eleven development policies: 2 points more coverage of triggers, 0.01 less reward."""


Reads = Literal["values", "preferences"]
"""What a network's map holds: the reward that is expected of each mask, or an actor's logits."""


class _Card(BaseModel):
    """Content of `policy.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = "dqn"
    reads: Reads = "values"
    sizes: tuple[float, ...]
    network: NetworkShape
    details: dict[str, str | int | float | bool | None] = {}


class LearnedPolicy:
    """Greedy on the map of `network`, a mean over all turned views of the picture. "No mask" is worth exactly 0.

    Of an actor's preferences the largest is taken. Values are read more closely. A mask over half a trigger already stops the attack, so
    the map is as high at the edge of a trigger as over its middle; masks of all sizes are worth something over the middle only. So the
    value of a mask is the mean over the sizes at its place, less what its own size falls short of the best one there (both taken from a
    mean over the 3 x 3 places around). Of sizes worth nearly the same the larger is better: what is left of a trigger that a mask covers
    in part is there to be learned again.
    """

    def __init__(self, network: QNetwork, space: ActionSpace, *, reads: Reads = "values") -> None:
        if network.shape.grid != space.grid or network.shape.sizes != len(space.sizes):
            raise ValueError(f"network for {network.shape.sizes} sizes on grid {network.shape.grid}, space {space}")
        self.network, self._space, self._reads = network, space, reads

    @property
    def space(self) -> ActionSpace:
        """Actions."""
        return self._space

    def q_values(self, images: Images, masks: Sequence[Sequence[int]] | None = None) -> Values:
        """Value of every action, (N, space.count), for images (N, S, S, 3) of any S."""
        before = masks if masks is not None else [()] * len(images)
        values = np.zeros((len(images), self._space.count), np.float32)
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            values[part, : self._space.masks] = self._agreed(render(np.asarray(images[part]), before[part], self._space))
        return values

    def _agreed(self, planes: Planes) -> Values:
        """What turned views agree on, (N, space.masks); of values also sizes and neighbours: the place's, less what a worse size loses."""
        upright = as_tensor(planes)
        with torch.inference_mode():
            seen = torch.stack([turn.undo(self.grids(self.network(turn.apply(upright)))) for turn in TURNS]).mean(0)
            if self._reads == "preferences":
                preferences: Values = seen.flatten(1).numpy()
                return preferences
            around = F.avg_pool2d(F.pad(seen, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            around = around + LARGER * torch.tensor(self._space.sizes).argsort().argsort().view(1, -1, 1, 1)
            agreed = seen.mean(1, keepdim=True) + around - around.amax(1, keepdim=True)
            values: Values = agreed.flatten(1).numpy()
        return values

    def map(self, planes: Planes) -> Values:
        """The network's own value of every mask, (N, space.masks), for rendered states (N, S, S, 4)."""
        with torch.inference_mode():
            values: Values = self.network(as_tensor(planes)).numpy()
        return values

    def grids(self, values: torch.Tensor) -> torch.Tensor:
        """Values of every mask (N, masks) as one map a size, (N, sizes, grid, grid)."""
        return values.view(len(values), len(self._space.sizes), self._space.grid, self._space.grid)

    def choose(self, images: Images, masks: Sequence[Sequence[int]] | None = None, *, force_mask: bool = False) -> list[Choice]:
        """The mask of highest value, or none when none is worth more than 0 and `force_mask` is off."""
        return greedy(self.q_values(images, masks), self._space, force_mask=force_mask)

    def save(self, folder: Path, details: dict[str, str | int | float | bool | None] | None = None) -> None:
        """Write both files into `folder` (made when missing); `details` are plain facts to keep with it, such as steps and seed."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.detach().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, folder / "policy.safetensors")
        kind = str((details or {}).get("kind", "dqn"))
        card = _Card(kind=kind, reads=self._reads, sizes=self._space.sizes, network=self.network.shape, details=details or {})
        (folder / "policy.json").write_text(json.dumps(card.model_dump(), indent=2, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> LearnedPolicy:
        """Read what `save` wrote. Raises SourceError when a file is missing, malformed, or does not fit the other."""
        try:
            card = _Card.model_validate_json((folder / "policy.json").read_text())
            network = QNetwork(card.network)
            network.load_state_dict(load_file(folder / "policy.safetensors"))
            policy = cls(network, ActionSpace(card.network.grid, card.sizes), reads=card.reads)
        except (OSError, ValidationError, SafetensorError, RuntimeError, ValueError) as error:
            hint = "Point to a folder that holds policy.safetensors and policy.json of one run"
            raise SourceError(f"no usable policy in {folder}: {error}", hint=hint) from error
        return policy


def as_tensor(planes: Planes) -> torch.Tensor:
    """Rendered states (N, S, S, 4) as the network takes them: (N, 4, S, S) uint8, channels last in memory."""
    return torch.from_numpy(planes).permute(0, 3, 1, 2)
