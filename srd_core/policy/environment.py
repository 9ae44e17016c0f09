"""The masking game, for many images at once: a state is an image with the masks put on it so far; a reward says what all of them together
do to the caption, against the image without any.

Follows the paper: masks accumulate, up to `max_masks` of them; one that changes nothing earns again what those before it did. With
`max_masks=1` it is the one-step bandit that the official code really runs. "No mask" ends an episode with reward 0 and costs nothing.
Not here: how rewards come about (`reward_source`), and who plays (`dqn`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from srd_core.data.samples import Images
from srd_core.errors import ConfigError
from srd_core.policy.masks import RED, ActionSpace

Actions = npt.NDArray[np.int64]
Rewards = npt.NDArray[np.float32]
Planes = npt.NDArray[np.uint8]
"""What a player sees: (N, S, S, 4) uint8, red-masked RGB and a channel that is 255 where a mask lies."""


class State(NamedTuple):
    """Image number and the masks on it so far, in the order in which they were put."""

    image: int
    masks: tuple[int, ...] = ()


class RewardSource(Protocol):
    """Says what masks are worth. Equal states get equal rewards."""

    def rewards(self, states: Sequence[State]) -> Rewards:
        """Reward of each image with its masks, relative to the image without any: (N,) float32."""
        ...


@dataclass(frozen=True, slots=True)
class Transition:
    """What a batch of actions led to: N rewards, N next states, and for each whether its episode is over."""

    rewards: Rewards
    states: list[State]
    done: npt.NDArray[np.bool_]


def refilled(outcome: Transition, fresh: Iterator[State]) -> list[State]:
    """The next states, and a fresh one wherever an episode has ended."""
    return [next(fresh) if end else state for state, end in zip(outcome.states, outcome.done, strict=True)]


class MaskingEnvironment:
    """Many images, one reward source.

    Args:
        images: (M, S, S, 3) uint8, unmasked.
        source: rewards of masked images.
        space: actions.
        max_masks: masks in one episode, at least 1.

    `steps` counts actions, `asked` those of them that put a mask, whose reward `source` had to tell.
    """

    def __init__(self, images: Images, source: RewardSource, space: ActionSpace | None = None, *, max_masks: int = 1) -> None:
        if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3 or len(images) == 0:
            raise ConfigError(
                f"the environment needs square RGB images (M, S, S, 3), got shape {images.shape}",
                hint="Squash the images to one canvas first, and give at least one",
            )
        if max_masks < 1:
            raise ConfigError(f"max_masks is {max_masks}", hint="Allow at least one mask")
        self.images, self.source, self.max_masks = images, source, max_masks
        self.space = space or ActionSpace()
        self.steps = self.asked = 0

    def __len__(self) -> int:
        return len(self.images)

    def reset(self, indices: Sequence[int] | Actions) -> list[State]:
        """Unmasked states of these images."""
        return [State(int(index)) for index in indices]

    def unmasked(self, rng: np.random.Generator) -> Iterator[State]:
        """Unmasked states without end, each image once before any twice."""
        while True:
            yield from map(State, rng.permutation(len(self)).tolist())

    def render(self, states: Sequence[State]) -> Planes:
        """What the player sees, (N, S, S, 4)."""
        return render(self.images[[state.image for state in states]], [state.masks for state in states], self.space)

    def step(self, states: Sequence[State], actions: Actions) -> Transition:
        """Put one mask on each state. "No mask" gives reward 0 and ends the episode; so does the last mask allowed."""
        after = [
            state if action == self.space.no_mask else State(state.image, (*state.masks, int(action)))
            for state, action in zip(states, actions.tolist(), strict=True)
        ]
        drawn = np.flatnonzero(actions != self.space.no_mask)
        rewards = np.zeros(len(after), np.float32)
        if len(drawn):
            rewards[drawn] = self.source.rewards([after[i] for i in drawn])
        done = np.asarray([len(state.masks) >= self.max_masks for state in after], np.bool_) | (actions == self.space.no_mask)
        self.steps += len(after)
        self.asked += len(drawn)
        return Transition(rewards, after, done)


def render(images: Images, masks: Sequence[Sequence[int]], space: ActionSpace) -> Planes:
    """Images (N, S, S, 3) with their masks drawn, and the mask plane: (N, S, S, 4) uint8."""
    count, side = len(images), images.shape[1]
    planes = np.zeros((count, side, side, 4), np.uint8)
    planes[..., :3] = images
    if any(masks):
        planes[space.coverage(space.padded(masks), side)] = (*RED, 255)
    return planes
