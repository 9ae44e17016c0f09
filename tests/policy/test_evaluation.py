from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.data.samples import Images
from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.evaluation import compare, coverage, hidden_share, paired_interval, play
from srd_core.policy.masks import ActionSpace, box
from srd_core.policy.policy import Choice, Values, greedy
from srd_core.policy.random_policy import RandomPolicy

SPACE = ActionSpace()
IMAGES = np.random.default_rng(0).integers(0, 255, (40, 16, 16, 3), dtype=np.uint8)


class Only:
    """Values one action at 1 until it has been played, everything else at -1."""

    space = SPACE

    def __init__(self, action: int) -> None:
        self.action = action

    def q_values(self, images: Images, masks: Sequence[Sequence[int]] | None = None) -> Values:
        found = np.full((len(images), SPACE.count), -1, np.float32)
        found[:, SPACE.no_mask] = 0
        found[[i for i in range(len(images)) if not masks or self.action not in masks[i]], self.action] = 1
        return found

    def choose(self, images: Images, masks: Sequence[Sequence[int]] | None = None, *, force_mask: bool = False) -> list[Choice]:
        return greedy(self.q_values(images, masks), SPACE, force_mask=force_mask)


class Likes:
    """Earns 1 for one action, a little less than nothing for any other."""

    def __init__(self, action: int) -> None:
        self.action = action

    def rewards(self, states: Sequence[State]) -> Rewards:
        return np.asarray([1.0 if state.masks[-1] == self.action else -0.1 for state in states], np.float32)


def test_a_good_policy_is_better_than_random_with_its_interval() -> None:
    result = compare(Only(5), RandomPolicy(SPACE, seed=0), MaskingEnvironment(IMAGES, Likes(5)), seed=1)
    assert result.better and result.policy == 1 and result.improved == 1 and result.low <= result.difference <= result.high


def test_a_policy_is_not_better_than_itself() -> None:
    env = MaskingEnvironment(IMAGES, Likes(5))
    assert not compare(Only(5), Only(5), env, seed=1).better


def test_a_useless_policy_is_reported_as_worse() -> None:
    env = MaskingEnvironment(IMAGES, Likes(5))
    result = compare(Only(6), Only(5), env, seed=1)
    assert result.high < 0 and result.improved == 0 and result.masked == 1


def test_episodes_go_on_until_the_policy_stops() -> None:
    played = play(Only(5), MaskingEnvironment(IMAGES, Likes(5), max_masks=4))
    assert {state.masks for state in played.states} == {(5,)} and (played.rewards == 1).all()


def test_episodes_end_at_the_limit_and_rewards_add_up() -> None:
    env = MaskingEnvironment(IMAGES, Likes(5), max_masks=3)
    policy = RandomPolicy(SPACE, seed=0)
    played = play(policy, env)
    assert {len(state.masks) for state in played.states} == {3} and (played.rewards <= 1.2 + 1e-6).all()


def test_an_interval_needs_data() -> None:
    with pytest.raises(ValueError):
        paired_interval(np.zeros(0), seed=0)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=50), st.integers(0, 5))
def test_an_interval_holds_the_range_of_the_data_and_repeats(values: list[float], seed: int) -> None:
    data = np.asarray(values)
    low, high = paired_interval(data, seed=seed)
    assert data.min() - 1e-9 <= low <= high <= data.max() + 1e-9 and (low, high) == paired_interval(data, seed=seed)


@given(st.integers(0, 399))
def test_a_mask_covers_its_own_box(action: int) -> None:
    mask = SPACE.decode(action)
    assert mask is not None
    assert coverage([(action,)], [box(mask, 64, 64)], SPACE, 64) == 1


def test_boxes_may_be_fractions() -> None:
    pixels = np.array([[8, 16, 24, 32]])
    action = SPACE.encode(2, 3, 3)
    in_pixels, in_fractions = (hidden_share([(action,)], boxes, SPACE, 64) for boxes in (pixels, pixels / 64))
    assert in_pixels == in_fractions and in_pixels[0] > 0


def test_no_mask_and_a_mask_elsewhere_cover_nothing() -> None:
    boxes = np.array([[0, 0, 6, 6]] * 2)
    assert coverage([(), (SPACE.encode(9, 9, 3),)], boxes, SPACE, 64) == 0


def test_half_a_trigger_is_not_covered() -> None:
    mask = SPACE.decode(SPACE.encode(5, 5, 2))
    assert mask is not None
    x0, y0, x1, y1 = box(mask, 64, 64)
    half = [[x0 - (x1 - x0), y0, x1, y1]]
    action = [(SPACE.encode(5, 5, 2),)]
    assert hidden_share(action, half, SPACE, 64) == pytest.approx(0.5) and coverage(action, half, SPACE, 64) == 0


def test_boxes_must_match_the_images() -> None:
    with pytest.raises(ValueError, match="boxes"):
        hidden_share([(1,), (2,)], np.zeros((1, 4), np.int64), SPACE, 64)
