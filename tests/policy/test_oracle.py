"""Bounds against brute force: every reward is asked for one by one, every mask is drawn and looked at, and no policy gets past."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.errors import ConfigError
from srd_core.policy import oracle
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment, RewardSource, State
from srd_core.policy.evaluation import greedy_reward, play
from srd_core.policy.learners import Kind, learner
from srd_core.policy.masks import ActionSpace, box
from srd_core.policy.oracle import attainable, every_reward, smallest_cover, trigger_bounds
from srd_core.policy.random_policy import RandomPolicy

SIDE = 32
BRIEF = DqnConfig(steps=256, learning_starts=64, envs=32, batch=16, points=1)


class Bench(Protocol):
    """The fixture `bench` of conftest.py."""

    space: ActionSpace

    def world(self, count: int, *, seed: int) -> Any: ...

    def reward(self, world: Any, *, noise: float = 0.1) -> RewardSource: ...

    def environment(self, count: int, *, seed: int = 1, max_masks: int = 1, noise: float = 0.1) -> MaskingEnvironment: ...


def covered(space: ActionSpace, action: int, corners: tuple[int, ...]) -> bool:
    """By drawing the mask pixel by pixel."""
    mask = space.decode(action)
    if mask is None:
        return False
    x0, y0, x1, y1 = box(mask, SIDE, SIDE)
    left, top, right, bottom = corners
    hidden = sum(x0 <= x < x1 and y0 <= y < y1 for y in range(top, bottom) for x in range(left, right))
    return hidden >= 0.9 * (right - left) * (bottom - top) > 0


def test_every_reward_is_what_asking_one_by_one_gives(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "AT_ONCE", 37)
    env, other = bench.environment(5), bench.environment(5)
    table = every_reward(env)
    assert table.shape == (5, bench.space.count) and env.steps == 5 * bench.space.count
    for image in range(5):
        for action in range(bench.space.count):
            assert table[image, action] == other.step([State(image)], np.array([action])).rewards[0]
    assert not table[:, bench.space.no_mask].any()


def test_the_attainable_is_found_by_hand() -> None:
    rewards = np.array([[1, 3, 0], [-1, -2, 0], [2, 2, 0], [0, 0, 0]], np.float32)
    found = attainable(rewards, seed=0)
    assert found.best.value == pytest.approx((3 + 0 + 2 + 0) / 4)
    assert found.random.value == pytest.approx((2 - 1.5 + 2 + 0) / 4)
    assert (found.improvable.value, found.improvable.n) == (2 / 4, 4)
    assert found.tied == (1 + 1 + 2 + 3) / 4
    assert found.best.low <= found.best.value <= found.best.high


def test_bounds_of_triggers_equal_brute_force(bench: Bench) -> None:
    world, space = bench.world(40, seed=4), bench.space
    rewards = every_reward(MaskingEnvironment(world.images, bench.reward(world), space))
    found = trigger_bounds(rewards, world.boxes, space, SIDE, seed=0)
    coverable, any_best, first, larger, worth = [], [], [], [], []
    for row, corners in zip(rewards.tolist(), world.boxes.tolist(), strict=True):
        covering = [action for action in range(space.count) if covered(space, action, tuple(corners))]
        best = [action for action, value in enumerate(row) if value == max(row)]
        size = {action: mask.size for action in range(space.masks) if (mask := space.decode(action))}
        smallest = min((size[action] for action in covering), default=None)
        coverable.append(bool(covering))
        any_best.append(bool(set(best) & set(covering)))
        first.append(max(row) > 0 and best[0] in covering)
        larger.append(max(row) > 0 and max(best, key=lambda action: (size.get(action, 0), -action)) in covering)
        worth.append({row[action] for action in covering if size[action] == smallest} or {0.0})
    assert found.coverable.value == np.mean(coverable) > 0.5
    assert (found.best_any.value, found.best_first.value, found.best_larger.value) == (np.mean(any_best), np.mean(first), np.mean(larger))
    assert np.mean([min(values) for values in worth]) - 1e-6 <= found.cover.value <= np.mean([max(values) for values in worth]) + 1e-6


def test_ties_are_broken_as_each_figure_says() -> None:
    space = ActionSpace(2, (0.5, 1.0))
    corners = np.array([[0, 0, 16, 16]] * 3)
    rewards = np.zeros((3, space.count), np.float32)
    rewards[0, [space.encode(1, 1, 0), space.encode(0, 0, 0)]] = 1  # the trigger's corner, and the one across, of lower number first
    rewards[1, [space.encode(1, 1, 0), space.encode(0, 0, 1)]] = 1  # the corner across, and a large mask over the trigger
    found = trigger_bounds(rewards, corners, space, SIDE, seed=0)  # on the third nothing is earned, and every action is among the best
    assert (found.best_any.value, found.best_first.value, found.best_larger.value) == (1, 1 / 3, 2 / 3)
    assert (found.coverable.value, found.cover.value) == (1, pytest.approx(1 / 3))


@given(st.integers(0, 26), st.integers(0, 26), st.integers(1, 12), st.integers(1, 12))
def test_the_mask_that_covers_a_trigger_covers_it_and_none_smaller_does(x: int, y: int, width: int, height: int) -> None:
    space = ActionSpace(5, (80 / 224, 20 / 224, 120 / 224))
    corners = (x, y, min(x + width, SIDE), min(y + height, SIDE))
    (action,) = smallest_cover(np.array([corners]), space, SIDE).tolist()
    covering = [other for other in range(space.masks) if covered(space, other, corners)]
    if action == space.no_mask:
        assert not covering
    else:
        chosen = space.decode(action)
        assert action in covering and chosen is not None
        assert chosen.size == min(mask.size for other in covering if (mask := space.decode(other)))


def test_a_trigger_larger_than_any_mask_cannot_be_covered(bench: Bench) -> None:
    found = trigger_bounds(np.ones((1, bench.space.count), np.float32), [[0, 0, SIDE, SIDE]], bench.space, SIDE, seed=0)
    assert smallest_cover([[0, 0, SIDE, SIDE]], bench.space, SIDE).tolist() == [bench.space.no_mask]
    assert (found.coverable.value, found.best_any.value) == (0, 0)


@pytest.mark.parametrize("kind", ["dqn", "bandit", "sac"])
def test_no_learned_policy_earns_more(bench: Bench, kind: Kind) -> None:
    policy, _ = learner(kind)(bench.environment(30, seed=3), BRIEF, seed=0)
    env = bench.environment(30, seed=3)
    best = attainable(every_reward(env), seed=0).best.value
    assert max(greedy_reward(policy, env), play(policy, env).rewards.mean()) <= best + 1e-6


@given(st.integers(0, 10_000), st.integers(0, 3))
def test_no_choice_of_actions_earns_more(bench: Bench, seed: int, world: int) -> None:
    env = bench.environment(8, seed=world)
    bounds = attainable(every_reward(env), seed=0)
    actions = np.random.default_rng(seed).integers(bench.space.count, size=len(env))
    assert env.step(env.reset(range(len(env))), actions).rewards.mean() <= bounds.best.value + 1e-6
    assert play(RandomPolicy(bench.space, seed=seed), env).rewards.mean() <= bounds.best.value + 1e-6


def test_the_policy_that_knows_the_table_reaches_the_bound(bench: Bench) -> None:
    env = bench.environment(20)
    table = every_reward(env)
    earned = env.step(env.reset(range(len(env))), table.argmax(axis=1)).rewards
    assert attainable(table, seed=0).best.value == pytest.approx(float(earned.mean()))


def test_another_action_space_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="401 actions"):
        trigger_bounds(np.zeros((1, bench.space.count), np.float32), [[0, 0, 4, 4]], ActionSpace(), SIDE, seed=0)
