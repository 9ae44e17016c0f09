from __future__ import annotations

import numpy as np
import pytest

from srd_core.policy.environment import State
from srd_core.policy.replay import BalancedReplay


def filled(capacity: int, rewards: list[float], *, balance: float = 0.5, seed: int = 0) -> BalancedReplay:
    """Step i: action i on image i // 2."""
    replay = BalancedReplay(capacity, balance=balance, rng=np.random.default_rng(seed))
    states = [State(i // 2) for i in range(len(rewards))]
    after = [State(state.image, (i,)) for i, state in enumerate(states)]
    replay.add(states, np.arange(len(rewards)), np.asarray(rewards, np.float32), after, np.ones(len(rewards), np.bool_))
    return replay


def test_a_rare_reward_gets_its_share_of_the_weight() -> None:
    batch = filled(500, [3.0] + [-0.2] * 299).sample(32)
    assert batch.weights[batch.rewards > 0].sum() == pytest.approx(0.5)
    assert batch.weights.sum() == pytest.approx(1)


def test_rewards_that_are_common_are_not_pushed_down() -> None:
    batch = filled(500, [1.0] * 80 + [-1.0] * 20, balance=0.3).sample(32)
    assert batch.weights[batch.rewards > 0].sum() == pytest.approx(0.8, abs=0.01)


def test_without_any_reward_all_steps_weigh_the_same() -> None:
    batch = filled(100, [-1.0] * 50).sample(16)
    assert np.allclose(batch.weights, batch.weights[0])


def test_all_steps_known_of_a_state_come_along() -> None:
    batch = filled(100, [-1.0] * 50).sample(8)
    steps: dict[int, list[int]] = {}
    for row, action in zip(batch.rows.tolist(), batch.actions.tolist(), strict=True):
        steps.setdefault(batch.states[row].image, []).append(action)
    assert all(sorted(actions) == [2 * image, 2 * image + 1] for image, actions in steps.items())


def test_what_a_step_was_stays_together() -> None:
    batch = filled(100, [float(i % 3 - 1) for i in range(60)]).sample(30)
    assert batch.rewards.tolist() == [float(action % 3 - 1) for action in batch.actions]
    assert [state.masks[0] for state in batch.after] == batch.actions.tolist()


def test_the_oldest_steps_are_forgotten() -> None:
    replay = filled(10, [1.0, -1.0] * 20)
    seen = {int(action) for _ in range(20) for action in replay.sample(8).actions}
    assert len(replay) == 10 and seen == set(range(30, 40))


def test_the_same_seed_draws_the_same_batch() -> None:
    rewards = [float(i % 5 == 0) for i in range(80)]
    first, second = filled(100, rewards, seed=4).sample(16), filled(100, rewards, seed=4).sample(16)
    assert first.states == second.states and (first.weights == second.weights).all()


def test_an_empty_memory_cannot_be_replayed() -> None:
    with pytest.raises(IndexError):
        BalancedReplay(4, balance=0.5, rng=np.random.default_rng(0)).sample(2)
