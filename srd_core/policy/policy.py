"""What a policy is: values for every action on an image, and the choice that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from srd_core.data.samples import Images
from srd_core.policy.masks import ActionSpace, Mask

Values = npt.NDArray[np.float32]
"""Action values (N, actions); the last column is "no mask"."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision. `mask` is None for "no mask".

    `q_value` is the value of the action taken, `q_gain` that of the best mask over "no mask"; NaN for a policy that estimates nothing.
    """

    action: int
    mask: Mask | None
    q_value: float
    q_gain: float


class Policy(Protocol):
    """Anything that decides on masks for square images (N, S, S, 3) uint8."""

    @property
    def space(self) -> ActionSpace: ...

    def q_values(self, images: Images, masks: Sequence[Sequence[int]] | None = None) -> Values:
        """Value of every action, (N, space.count); `masks` are actions already applied to each image (none when left out)."""
        ...

    def choose(self, images: Images, masks: Sequence[Sequence[int]] | None = None, *, force_mask: bool = False) -> list[Choice]:
        """One decision an image. `force_mask` rules "no mask" out: the paper masks every pair."""
        ...


def greedy(values: Values, space: ActionSpace, *, force_mask: bool = False) -> list[Choice]:
    """The action of highest value in each row; a mask must beat "no mask", unless `force_mask`."""
    best = values[:, : space.masks].argmax(axis=1)
    top = values[np.arange(len(values)), best]
    idle = values[:, space.no_mask]
    choices = []
    for action, value, rest in zip(best.tolist(), top.tolist(), idle.tolist(), strict=True):
        taken = action if force_mask or value > rest else space.no_mask
        choices.append(Choice(taken, space.decode(taken), value if taken == action else rest, value - rest))
    return choices
