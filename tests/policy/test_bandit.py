"""The bandit finds an optimum that is known, for the price that was agreed, and is what its header says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from srd_core.policy import bandit, dqn
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.evaluation import play
from srd_core.policy.masks import ActionSpace
from srd_core.policy.oracle import attainable, every_reward

SPACE = ActionSpace(5, (80 / 224, 120 / 224))
SIDE, CELLS = 40, 5
BUDGET = DqnConfig(steps=3_000, learning_starts=300, envs=50, batch=50, updates_per_step=4, points=2)


class Spots:
    """A bright cell on a dark image: a small mask there earns 2, a large one 1, any other loses 0.5."""

    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.cells = rng.integers(CELLS, size=(count, 2))
        self.images = rng.integers(20, 90, (count, SIDE, SIDE, 3), dtype=np.uint8)
        for image, (x, y) in zip(self.images, self.cells * (SIDE // CELLS), strict=True):
            image[y : y + SIDE // CELLS, x : x + SIDE // CELLS] = 220
        self.asked: list[State] = []

    def rewards(self, states: Sequence[State]) -> Rewards:
        self.asked += states
        return np.asarray([self._worth(state) for state in states], np.float32)

    def _worth(self, state: State) -> float:
        x, y = self.cells[state.image].tolist()
        return {SPACE.encode(x, y, 0): 2.0, SPACE.encode(x, y, 1): 1.0}.get(state.masks[-1], -0.5)


def game(count: int, seed: int, max_masks: int = 1) -> tuple[MaskingEnvironment, Spots]:
    spots = Spots(count, seed)
    return MaskingEnvironment(spots.images, spots, SPACE, max_masks=max_masks), spots


def test_it_finds_the_optimum_and_pays_what_was_agreed() -> None:
    env, spots = game(400, seed=1)
    policy, curve = bandit.train(env, BUDGET, seed=0)
    assert len(spots.asked) == env.steps == curve.steps == BUDGET.steps and curve.gradient_steps > 0
    unseen, _ = game(100, seed=2)
    best = attainable(every_reward(unseen), seed=0).best.value
    earned = play(policy, unseen).rewards.mean()
    assert best == 2 and 0.9 * best <= earned <= best


def test_it_costs_as_many_rewards_as_the_dqn_and_repeats_none() -> None:
    counts = []
    for train in (bandit.train, dqn.train):
        env, spots = game(100, seed=1)
        train(env, BUDGET.model_copy(update={"steps": 1_000}), seed=0)
        assert max(Counter(spots.asked).values()) == 1
        counts.append(len(spots.asked))
    assert counts == [1_000, 1_000]


@pytest.mark.parametrize("setting", [{"gamma": 0.1}, {"double": True}, {"balance": 0.9}, {"temperature": 5.0}, {"target_update": 1}])
def test_settings_of_what_it_lacks_play_no_part(setting: dict[str, float]) -> None:
    brief = BUDGET.model_copy(update={"steps": 600})
    images = Spots(4, seed=3).images
    first, second = (bandit.train(game(40, 1, max_masks=2)[0], config, seed=0)[0] for config in (brief, brief.model_copy(update=setting)))
    assert (first.q_values(images) == second.q_values(images)).all()


def test_it_is_not_the_dqn_under_another_name() -> None:
    brief = BUDGET.model_copy(update={"steps": 600})
    images = Spots(4, seed=3).images
    first, second = (train(game(40, 1)[0], brief, seed=0)[0].q_values(images) for train in (bandit.train, dqn.train))
    assert (first != second).any()


def test_it_values_a_mask_by_what_it_earns_at_once() -> None:
    """The first of two masks costs, the second pays: a bandit sees the cost alone, the DQN sees past it."""

    class PaysLater(Spots):
        def _worth(self, state: State) -> float:
            return -0.5 if len(state.masks) == 1 else 3.0

    config = BUDGET.model_copy(update={"steps": 1_500, "target_update": 20})
    values = []
    for train in (bandit.train, dqn.train):
        later = PaysLater(30, seed=1)
        policy, _ = train(MaskingEnvironment(later.images, later, SPACE, max_masks=2), config, seed=0)
        values.append(float(policy.q_values(later.images)[:, : SPACE.masks].mean()))
    assert values[0] < 0 < 1 < values[1]
