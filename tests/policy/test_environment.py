from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from srd_core.errors import ConfigError
from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.masks import RED, ActionSpace

SPACE = ActionSpace()
IMAGES = np.random.default_rng(0).integers(0, 200, (5, 32, 32, 3), dtype=np.uint8)


class Recorder:
    """Rewards a state with its number of masks and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[State] = []

    def rewards(self, states: Sequence[State]) -> Rewards:
        self.asked += states
        return np.asarray([len(state.masks) for state in states], np.float32)


def test_no_mask_ends_the_episode_with_nothing_and_asks_nobody() -> None:
    source = Recorder()
    env = MaskingEnvironment(IMAGES, source, max_masks=3)
    outcome = env.step(env.reset([1, 2]), np.array([SPACE.no_mask] * 2))
    assert outcome.rewards.tolist() == [0, 0] and outcome.done.all() and not source.asked
    assert outcome.states == [State(1), State(2)]


def test_one_mask_ends_the_bandit() -> None:
    env = MaskingEnvironment(IMAGES, Recorder())
    assert env.step(env.reset([0]), np.array([5])).done.all()


def test_masks_accumulate_up_to_the_limit() -> None:
    env = MaskingEnvironment(IMAGES, Recorder(), max_masks=2)
    first = env.step(env.reset([3]), np.array([5]))
    second = env.step(first.states, np.array([7]))
    assert (first.done.tolist(), second.done.tolist()) == ([False], [True])
    assert second.states == [State(3, (5, 7))] and second.rewards.tolist() == [2]


def test_only_masked_states_are_priced_and_rewards_stay_in_place() -> None:
    source = Recorder()
    env = MaskingEnvironment(IMAGES, source)
    outcome = env.step(env.reset([0, 1, 2]), np.array([4, SPACE.no_mask, 9]))
    assert outcome.rewards.tolist() == [1, 0, 1] and source.asked == [State(0, (4,)), State(2, (9,))]


def test_what_a_player_sees_is_the_masked_picture_and_where_the_masks_are() -> None:
    env = MaskingEnvironment(IMAGES, Recorder())
    action = SPACE.encode(5, 5, 2)
    seen = env.render([State(1), State(1, (action,))])
    hidden = SPACE.coverage(np.array([action]), 32)[0]
    assert (seen[0, ..., :3] == IMAGES[1]).all() and not seen[0, ..., 3].any()
    assert (seen[1, hidden] == (*RED, 255)).all() and (seen[1, ~hidden, :3] == IMAGES[1][~hidden]).all()


def test_rendering_does_not_touch_the_images() -> None:
    before = IMAGES.copy()
    MaskingEnvironment(IMAGES, Recorder()).render([State(0, (399,))])
    assert (before == IMAGES).all()


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (2, 8, 9, 3), (2, 8, 8, 4), (8, 8, 3)])
def test_images_that_are_no_canvas_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="square RGB"):
        MaskingEnvironment(np.zeros(shape, np.uint8), Recorder())


def test_an_episode_without_masks_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_masks"):
        MaskingEnvironment(IMAGES, Recorder(), max_masks=0)
