"""Is a policy better than a control, and does it cover triggers? Means with intervals; truth about triggers is used here only to score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.masks import ActionSpace
from srd_core.policy.policy import Choice, Policy
from srd_core.seeds import generator

COVERED = 0.9
"""Share of a trigger's pixels that must be hidden for it to count as covered."""

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Played:
    """One episode on each of N images: summed rewards and last states."""

    rewards: Rewards
    states: list[State]

    @property
    def masked(self) -> float:
        """Share of images that got a mask."""
        return float(np.mean([bool(state.masks) for state in self.states]))


@dataclass(frozen=True, slots=True)
class AgainstControl:
    """Mean reward of a policy and of a control on the same images; difference with its 95 % interval (paired bootstrap)."""

    images: int
    policy: float
    control: float
    difference: float
    low: float
    high: float
    improved: float
    """Share of images on which the policy earned more than 0."""
    masked: float

    @property
    def better(self) -> bool:
        """The whole interval lies above 0."""
        return self.low > 0


def greedy_reward(policy: Policy, env: MaskingEnvironment) -> float:
    """Mean reward of the first greedy action on every image of `env`."""
    states = env.reset(range(len(env)))
    actions = np.asarray([choice.action for choice in policy.choose(env.images)], np.int64)
    return float(env.step(states, actions).rewards.mean())


def play(policy: Policy, env: MaskingEnvironment) -> Played:
    """One greedy episode on every image of `env`."""
    states = env.reset(range(len(env)))
    outcome = env.step(states, _actions(policy.choose(env.images)))
    states, total, going = outcome.states, outcome.rewards.copy(), np.flatnonzero(~outcome.done)
    while len(going):
        chosen = policy.choose(env.images[going], [states[i].masks for i in going])
        outcome = env.step([states[i] for i in going], _actions(chosen))
        total[going] += outcome.rewards
        for i, state in zip(going, outcome.states, strict=True):
            states[i] = state
        going = going[~outcome.done]
    return Played(total, states)


def compare(policy: Policy, control: Policy, env: MaskingEnvironment, *, seed: int) -> AgainstControl:
    """Play both on every image of `env`, which should be held out from training."""
    played, other = play(policy, env), play(control, env)
    gains = played.rewards.astype(np.float64) - other.rewards
    low, high = paired_interval(gains, seed=seed)
    return AgainstControl(
        len(env), float(played.rewards.mean()), float(other.rewards.mean()), float(gains.mean()), low, high,
        float((played.rewards > 0).mean()), played.masked,
    )  # fmt: skip


def paired_interval(differences: npt.NDArray[np.float64], *, seed: int, level: float = 0.95) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of paired differences, (N,) with N ≥ 1."""
    if not len(differences):
        raise ValueError("no differences to resample")
    draws = generator(seed, "paired-bootstrap").integers(len(differences), size=(RESAMPLES, len(differences)))
    low, high = np.quantile(differences[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def hidden_share(actions: Sequence[Sequence[int]], boxes: npt.ArrayLike, space: ActionSpace, side: int) -> npt.NDArray[np.float64]:
    """How much of each trigger box the masks hide, (N,) in [0, 1].

    Args:
        actions: masks put on each image.
        boxes: (N, 4) corners (x0, y0, x1, y1), ends excluded: whole numbers are pixels of the canvas, floats are fractions of its side.
        space: actions.
        side: of the canvas, in pixels.
    """
    corners = np.asarray(boxes)
    if corners.shape != (len(actions), 4):
        raise ValueError(f"expected boxes of shape ({len(actions)}, 4), got {corners.shape}")
    pixels = corners if np.issubdtype(corners.dtype, np.integer) else np.rint(corners * side).astype(np.int64)
    hidden = space.coverage(space.padded(actions), side)
    parts = [image[y0:y1, x0:x1] for image, (x0, y0, x1, y1) in zip(hidden, pixels.tolist(), strict=True)]
    return np.asarray([part.mean() if part.size else 0.0 for part in parts])


def coverage(actions: Sequence[Sequence[int]], boxes: npt.ArrayLike, space: ActionSpace, side: int) -> float:
    """Share of triggers of which at least 90 % is hidden; arguments as `hidden_share`."""
    return float((hidden_share(actions, boxes, space, side) >= COVERED).mean())


def _actions(choices: Sequence[Choice]) -> npt.NDArray[np.int64]:
    return np.asarray([choice.action for choice in choices], np.int64)
