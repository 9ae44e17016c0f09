"""What one mask an image can earn at most: every action tried, and the smallest mask that hides a known trigger.

No policy of one mask earns more than `Attainable.best` on the same images under the same reward. Coverage has no such bound: the shares in
`TriggerBounds` say how far the reward points at the trigger, and a policy may cover more of them than its reward asks for. Rewards are
coarse, so many actions are best at once; what counts as the oracle's choice among them is said at each figure.
Not here: several masks on an image, whose rewards add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srd_core.errors import ConfigError
from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.evaluation import COVERED, hidden_share
from srd_core.policy.masks import ActionSpace
from srd_core.progress import track
from srd_core.scoring.intervals import Interval, bootstrap_mean, wilson

AT_ONCE = 2_048
"""Actions in one question to the environment: whole batches for the captioner."""


@dataclass(frozen=True, slots=True)
class Attainable:
    """Mean rewards over the same images, with intervals that hold for other images of their kind."""

    best: Interval
    """Of the best action on each image, "no mask" among them: never below 0."""
    random: Interval
    """Of a mask drawn uniformly, in expectation over the masks."""
    improvable: Interval
    """Share of images on which some mask earns more than 0."""
    tied: float
    """Best actions on an image, on average; 1 when the best is always alone."""


@dataclass(frozen=True, slots=True)
class TriggerBounds:
    """The triggers of those images. A trigger is covered when a mask hides at least 90 % of its box."""

    coverable: Interval
    """Share that any one mask covers."""
    cover: Interval
    """Mean reward of the smallest mask that covers the trigger; 0, that of "no mask", where there is none."""
    best_any: Interval
    """Share of triggers that at least one of the best actions covers: ties broken in favour."""
    best_first: Interval
    """Share covered by the best action of lowest number, which is of the smallest size; by none where no mask earns more than 0."""
    best_larger: Interval
    """Likewise by the first of the largest best masks, as `learned` prefers the larger of equals."""


def every_reward(env: MaskingEnvironment) -> Rewards:
    """Reward of every action on every unmasked image of `env`, (len(env), space.count); each is asked for once, the last column is 0."""
    count = env.space.count
    table = np.zeros(len(env) * count, np.float32)
    for start in track(range(0, len(table), AT_ONCE), "every action", total=-(-len(table) // AT_ONCE)):
        images, actions = np.divmod(np.arange(start, min(start + AT_ONCE, len(table))), count)
        table[start : start + len(actions)] = env.step([State(image) for image in images.tolist()], actions).rewards
    return table.reshape(len(env), count)


def attainable(rewards: Rewards, *, seed: int) -> Attainable:
    """Bounds from the table that `every_reward` returns, (N, count); `seed` is the bootstrap's."""
    best = rewards.max(axis=1)
    return Attainable(
        best=bootstrap_mean(best, seed),
        random=bootstrap_mean(rewards[:, :-1].mean(axis=1, dtype=np.float64), seed),
        improvable=wilson(int((best > 0).sum()), len(best)),
        tied=float(_best(rewards).sum(axis=1).mean()),
    )


def trigger_bounds(rewards: Rewards, boxes: npt.ArrayLike, space: ActionSpace, side: int, *, seed: int) -> TriggerBounds:
    """Bounds for images whose triggers are known.

    Args:
        rewards: of every action, (N, space.count), from `every_reward`.
        boxes: (N, 4), as `evaluation.hidden_share` takes them.
        space: actions.
        side: of the canvas, in pixels.
        seed: of the bootstrap.

    Raises:
        ConfigError: the table does not fit the action space.
    """
    if rewards.ndim != 2 or rewards.shape[1] != space.count:
        hint = "Take the action space of the environment"
        raise ConfigError(f"rewards of shape {rewards.shape} for {space.count} actions", hint=hint)
    rows, covers = np.arange(len(rewards)), hidden_by_each(boxes, space, side) >= COVERED
    best, smallest = _best(rewards), smallest_cover(boxes, space, side)
    earning = np.where(rewards.max(axis=1, keepdims=True) > 0, best, np.arange(space.count) == space.no_mask)

    def share(hits: npt.ArrayLike) -> Interval:
        return wilson(int(np.sum(hits)), len(rewards))

    return TriggerBounds(
        coverable=share(smallest != space.no_mask),
        cover=bootstrap_mean(rewards[rows, smallest], seed),
        best_any=share((best & covers).any(axis=1)),
        best_first=share(covers[rows, earning.argmax(axis=1)]),
        best_larger=share(covers[rows, (earning * (1 + _sizes(space))).argmax(axis=1)]),
    )


def hidden_by_each(boxes: npt.ArrayLike, space: ActionSpace, side: int) -> npt.NDArray[np.float64]:
    """Share of each trigger box that every action hides, (N, space.count) in [0, 1]; arguments as `evaluation.hidden_share`."""
    every = [(action,) for action in range(space.count)]
    return np.asarray([hidden_share(every, np.repeat(box[None], space.count, 0), space, side) for box in np.asarray(boxes)])


def smallest_cover(boxes: npt.ArrayLike, space: ActionSpace, side: int) -> npt.NDArray[np.int64]:
    """For each trigger box the smallest mask that covers it, of these the one that hides most, (N,); "no mask" where none does."""
    hidden = hidden_by_each(boxes, space, side)
    preferred = np.where(hidden >= COVERED, hidden - 2 * _sizes(space), -np.inf)
    return np.where(np.isfinite(preferred).any(axis=1), preferred.argmax(axis=1), space.no_mask)


def _best(rewards: Rewards) -> npt.NDArray[np.bool_]:
    """Which actions earn the most on their image, (N, count)."""
    return np.asarray(rewards == rewards.max(axis=1, keepdims=True))


def _sizes(space: ActionSpace) -> npt.NDArray[np.int64]:
    """Rank of every action's size, (count,), 0 the smallest; "no mask" counts as one of them."""
    ranks = np.argsort(np.argsort(space.sizes))
    return np.append(np.repeat(ranks, space.grid**2), 0)
