"""All learning algorithms: that they learn, cost the same number of rewards, and leave a policy like any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from srd_core.errors import ConfigError
from srd_core.hardware import VARIABLE, device
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.learners import Kind, learner
from srd_core.policy.masks import ActionSpace

KINDS: tuple[Kind, ...] = get_args(Kind)
SPACE = ActionSpace()
SHORT = DqnConfig(steps=256, learning_starts=64, envs=32, batch=16, points=4)


class LeftIsGood:
    """A mask earns 1 in the left half of any image and loses 1 in the right half."""

    def rewards(self, states: Sequence[State]) -> Rewards:
        masks = [SPACE.decode(state.masks[-1]) for state in states]
        return np.asarray([1.0 if mask is not None and mask.x < 0.5 else -1.0 for mask in masks], np.float32)


def game(images: int = 64, max_masks: int = 1) -> MaskingEnvironment:
    """Pictures that get darker to the right."""
    ramp = np.linspace(230, 20, 32)[None, None, :, None]
    noise = np.random.default_rng(0).normal(0, 12, (images, 32, 32, 3))
    return MaskingEnvironment((ramp + noise).clip(0, 255).astype(np.uint8), LeftIsGood(), SPACE, max_masks=max_masks)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_which_half_is_good(kind: Kind) -> None:
    config = DqnConfig(steps=3_200, learning_starts=256, envs=64, batch=64, updates_per_step=2, points=2)
    env = game()
    policy, curve = learner(kind)(env, config, seed=0, held_out=game(8))
    chosen = [SPACE.decode(choice.action % SPACE.masks) for choice in policy.choose(env.images, force_mask=True)]
    assert np.mean([mask is not None and mask.x < 0.5 for mask in chosen]) >= 0.95
    assert curve.points[-1].held_out is not None and curve.points[-1].held_out >= 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_masks", [1, 2])
def test_all_pay_for_the_same_number_of_rewards(kind: Kind, max_masks: int) -> None:
    env, told = game(max_masks=max_masks), list[int]()
    _, curve = learner(kind)(env, SHORT, seed=0, progress=told.append)
    assert env.steps == curve.steps == told[-1] == SHORT.steps
    assert len(curve.points) == SHORT.points and curve.gradient_steps > 0


def test_steps_that_the_environments_do_not_divide_are_still_paid_for_exactly() -> None:
    env = game()
    _, curve = learner("ppo")(env, SHORT.model_copy(update={"steps": 210}), seed=0)
    assert env.steps == curve.steps == 210


def test_steps_that_nothing_divides_are_refused() -> None:
    """The library's own answer was a bare assertion."""
    with pytest.raises(ConfigError, match="exactly 211 steps in rounds of 2 to 32 images"):
        learner("ppo")(game(), SHORT.model_copy(update={"steps": 211}), seed=0)


@pytest.mark.parametrize("kind", KINDS)
def test_learning_may_start_at_once(kind: Kind) -> None:
    _, curve = learner(kind)(game(), SHORT.model_copy(update={"learning_starts": 0}), seed=0)
    assert curve.gradient_steps > 0


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SRD thinks that there is one; whoever goes there fails."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("srd_core.hardware._steady", lambda: None)
    monkeypatch.delenv(VARIABLE, raising=False)
    device.cache_clear()
    yield
    device.cache_clear()


@pytest.mark.parametrize("kind", KINDS)
def test_policies_are_learned_on_the_cpu_wherever_captioners_are(kind: Kind, tmp_path: Path, a_gpu: None) -> None:
    """On an H100 one learned next to nothing."""
    assert device().type == "cuda"
    policy, _ = learner(kind)(game(), SHORT, seed=0)
    policy.save(tmp_path)
    for one in (policy, LearnedPolicy.load(tmp_path)):
        assert {weight.device.type for weight in one.network.parameters()} == {"cpu"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_policy_and_another_another(kind: Kind, tmp_path: Path) -> None:
    images = game(4).images
    first, second, other = (learner(kind)(game(), SHORT, seed=seed)[0] for seed in (3, 3, 4))
    assert (first.q_values(images) == second.q_values(images)).all()
    assert (first.q_values(images) != other.q_values(images)).any()
    first.save(tmp_path)
    assert (LearnedPolicy.load(tmp_path).q_values(images) == first.q_values(images)).all()


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.delitem(sys.modules, "srd_core.policy.ppo", raising=False)
    with pytest.raises(ConfigError, match=r"srd\[bench\]"):
        learner("ppo")
