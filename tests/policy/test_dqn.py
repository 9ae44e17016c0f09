from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from srd_core.errors import TrainingError
from srd_core.policy.dqn import _Run, train
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment, Rewards, RewardSource, State
from srd_core.policy.evaluation import compare, coverage
from srd_core.policy.masks import ActionSpace
from srd_core.policy.qnetwork import QNetwork
from srd_core.policy.random_policy import RandomPolicy

SIDE = 32
SHORT = DqnConfig(steps=256, learning_starts=64, envs=32, batch=16, points=4)


class Bench(Protocol):
    """The fixture `bench` of conftest.py."""

    space: ActionSpace

    def world(self, count: int, *, seed: int) -> Any: ...

    def reward(self, world: Any, *, noise: float = 0.1) -> RewardSource: ...

    def environment(self, count: int, *, seed: int = 1, max_masks: int = 1, noise: float = 0.1) -> MaskingEnvironment: ...


class Answers:
    """A reward that is a function of the state, and remembers what it was asked."""

    def __init__(self, worth: Callable[[State], float]) -> None:
        self.worth, self.asked = worth, list[State]()

    def rewards(self, states: Sequence[State]) -> Rewards:
        self.asked += states
        return np.asarray([self.worth(state) for state in states], np.float32)


def test_it_learns_to_cover_patches_that_it_has_never_seen(bench: Bench) -> None:
    held_out = bench.world(200, seed=2)
    config = DqnConfig(steps=6_000, learning_starts=500, envs=50, batch=50, updates_per_step=5, points=2)
    policy, curve = train(bench.environment(600), config, seed=0)
    env = MaskingEnvironment(held_out.images, bench.reward(held_out, noise=0), bench.space)
    control = RandomPolicy(bench.space, seed=0)
    result = compare(policy, control, env, seed=0)
    hidden = [
        coverage([(choice.action,) for choice in player.choose(held_out.images, force_mask=True)], held_out.boxes, bench.space, SIDE)
        for player in (policy, control)
    ]
    assert result.better and result.low > 0.5
    assert hidden[0] > 3 * hidden[1]
    assert curve.steps == 6_000 and curve.gradient_steps > 500


@pytest.mark.parametrize("max_masks", [1, 2])
def test_the_same_seed_gives_the_same_policy_and_curve(bench: Bench, max_masks: int) -> None:
    images = bench.world(8, seed=5).images
    runs = [train(bench.environment(40, max_masks=max_masks), SHORT, seed=3) for _ in range(2)]
    first, second = (policy.q_values(images) for policy, _ in runs)
    assert (first == second).all() and runs[0][1].points == runs[1][1].points


def test_another_seed_gives_another_policy(bench: Bench) -> None:
    images = bench.world(8, seed=5).images
    first, second = (train(bench.environment(40), SHORT, seed=seed)[0].q_values(images) for seed in (1, 2))
    assert (first != second).any()


def test_training_leaves_the_global_random_state_alone(bench: Bench) -> None:
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    train(bench.environment(20), SHORT, seed=0)
    assert torch.rand(1) == expected


def test_a_run_without_a_gradient_step_is_an_error(bench: Bench) -> None:
    with pytest.raises(TrainingError, match="no gradient step"):
        train(bench.environment(20), SHORT.model_copy(update={"learning_starts": 10_000}), seed=0)


def test_a_loss_that_is_not_a_number_is_an_error(bench: Bench) -> None:
    env = MaskingEnvironment(bench.world(20, seed=1).images, Answers(lambda state: math.nan), bench.space)
    with pytest.raises(TrainingError, match="loss became nan"):
        train(env, SHORT, seed=0)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError):
        DqnConfig(learning_start=5)  # type: ignore[call-arg]


def test_every_setting_is_described() -> None:
    assert all(field.description for field in DqnConfig.model_fields.values())


def test_the_curve_reaches_the_last_step_and_reports_progress(bench: Bench) -> None:
    told: list[int] = []
    _, curve = train(bench.environment(20), SHORT, seed=0, progress=told.append, held_out=bench.environment(10, seed=8))
    assert curve.points[-1].step == curve.steps == SHORT.steps and len(curve.points) == SHORT.points
    assert told == sorted(set(told)) and told[-1] == SHORT.steps and len(told) > SHORT.points
    assert all(point.held_out is not None and math.isfinite(point.loss) for point in curve.points[1:])


def test_exploration_never_asks_the_same_question_twice(bench: Bench) -> None:
    source = Answers(lambda state: 1.0)
    train(MaskingEnvironment(bench.world(8, seed=1).images, source, bench.space), SHORT, seed=0)
    assert len(source.asked) == len(set(source.asked)) == SHORT.steps


def test_when_everything_was_asked_it_begins_again(bench: Bench) -> None:
    _, curve = train(bench.environment(3), SHORT, seed=0)
    assert curve.steps == SHORT.steps > 3 * bench.space.masks


def test_epsilon_starts_random_and_ends_where_it_should() -> None:
    config = DqnConfig(steps=1000, learning_starts=100, epsilon_decay=0.5, epsilon_end=0.1)
    assert config.epsilon(0) == config.epsilon(99) == 1
    assert config.epsilon(250) == pytest.approx(0.55) and config.epsilon(500) == config.epsilon(1000) == pytest.approx(0.1)


class MeanGrey(QNetwork):
    """Values that turn with the picture: a cell's mean grey level, for every size."""

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.adaptive_avg_pool2d(planes[:, :3].float().mean(1, keepdim=True), self.shape.grid)
        return cells.expand(-1, self.shape.sizes, -1, -1).flatten(1)


def test_turned_pictures_give_values_at_the_places_they_belong_to(bench: Bench) -> None:
    run = _Run(bench.environment(8), SHORT, seed=0)
    planes = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (3, 4, 40, 40), dtype=np.uint8))
    plain = run.online(planes)
    changed = [not torch.equal(run._turned(planes), plain) for _ in range(30)]
    run.online = MeanGrey(run.online.shape)
    expected = run.online(planes)
    assert any(changed) and not all(changed)
    assert all(torch.allclose(run._turned(planes), expected, atol=1e-3) for _ in range(30))


def test_a_second_mask_is_never_the_first_again() -> None:
    """Not even when all the others have been tried: then they are begun anew."""
    small = ActionSpace(grid=1, sizes=(0.2, 0.4, 0.6))
    images = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    run = _Run(MaskingEnvironment(images, Answers(lambda state: 1.0), small, max_masks=2), SHORT, seed=0)
    drawn = [int(run._explore([State(0, (1,))], 1.0)[0]) for _ in range(12)]
    assert set(drawn) == {0, 2} and all(set(drawn[turn : turn + 2]) == {0, 2} for turn in range(0, 12, 2))


def test_values_of_later_masks_flow_back(bench: Bench) -> None:
    images = bench.world(30, seed=1).images
    env = MaskingEnvironment(images, Answers(lambda state: 3.0 if len(state.masks) == 2 else -0.5), bench.space, max_masks=2)
    config = SHORT.model_copy(update={"steps": 1500, "updates_per_step": 4, "target_update": 20, "learning_rate": 3e-3})
    policy, _ = train(env, config, seed=0)
    assert policy.q_values(images)[:, : bench.space.masks].mean() > 1
