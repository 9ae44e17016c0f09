"""The bounds of what a policy could earn, in the game that the policy learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.config import load_config
from srd_core.data.manifest import StageManifest
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import ActionSpace
from srd_core.scoring.intervals import Interval
from srd_core.stages.bounds import BOUNDS
from srd_core.stages.files import local_folder
from srd_core.stages.game import Game, split
from srd_core.stages.learn import LEARN
from srd_core.stages.stage import Run


class Pipeline(Protocol):
    """The fixture `pipeline` of conftest.py."""

    run: Run

    def make(self, name: str) -> StageManifest: ...

    def inputs(self, *names: str, **renamed: str) -> dict[str, StageManifest]: ...


NEEDED = ("synthetic", "sparring", "reference", "fluency")


def bounded(pipeline: Pipeline, sink: Path, *overrides: str) -> dict[str, Any]:
    run = replace(pipeline.run, sink=str(sink), config=load_config("test", overrides=["seed=1", *overrides]))
    return dict(BOUNDS.execute(run, pipeline.inputs(*NEEDED), {}).facts)


def test_every_action_is_tried_on_as_many_images_as_asked_for(pipeline: Pipeline, tmp_path: Path) -> None:
    facts = bounded(pipeline, tmp_path / "sink")
    assert (facts["images"], facts["reward_calls"]) == (2, 2 * ActionSpace().masks)
    best, random = (Interval.model_validate(facts["attainable"][name]) for name in ("best", "random"))
    assert best.n == 2 and best.value >= max(random.value, 0)
    assert set(facts["triggers"]) == {"coverable", "cover", "best_any", "best_first", "best_larger"}
    assert facts["triggers"]["coverable"]["value"] == 1


def test_the_policy_that_was_learned_earns_no_more_on_the_same_images(pipeline: Pipeline, tmp_path: Path) -> None:
    best = bounded(pipeline, tmp_path / "sink")["attainable"]["best"]["value"]
    policy = LearnedPolicy.load(local_folder(pipeline.make("policy"), tmp_path / "learned", "policy"))
    game = Game(pipeline.run, pipeline.inputs(*NEEDED), tmp_path)
    env = game.environment(game.measured[:2], max_masks=1)
    actions = np.asarray([choice.action for choice in policy.choose(env.images, force_mask=True)])
    assert env.step(env.reset(range(2)), actions).rewards.mean() <= best


def test_the_images_are_among_those_that_learning_holds_out(pipeline: Pipeline, tmp_path: Path) -> None:
    game = Game(pipeline.run, pipeline.inputs(*NEEDED), tmp_path)
    assert len(game.measured) == pipeline.make("policy").facts["held_out"]["against_random"]["images"]
    shown = game.synthetic.photographs
    assert len(game.rest) and not set(shown[game.measured]) & set(shown[game.rest])


@given(st.lists(st.integers(0, 20), max_size=80), st.integers(1, 30), st.integers(0, 9))
def test_no_photograph_is_played_and_measured(photographs: list[int], held_out: int, seed: int) -> None:
    shown = np.asarray(photographs, dtype=np.int64)
    measured, rest = split(shown, held_out, np.random.default_rng(seed))
    assert len(measured) == min(held_out, len(shown) // 4) and not set(shown[measured]) & set(shown[rest])
    assert set(range(len(shown))) - {*measured, *rest} <= {row for row in range(len(shown)) if shown[row] in shown[measured]}


def test_without_images_nothing_is_measured(pipeline: Pipeline, tmp_path: Path) -> None:
    assert bounded(pipeline, tmp_path / "sink", "bounds=0") == {}


@pytest.mark.parametrize("setting", ["policy.kind=bandit", "policy.dqn.steps=300", "policy.images=5"])
def test_one_measurement_serves_all_algorithms(pipeline: Pipeline, setting: str) -> None:
    keys = [BOUNDS.key(replace(pipeline.run, config=load_config("test", overrides=[*own])), {}, {}) for own in ((), (setting,))]
    assert keys[0] == keys[1]


def test_how_many_images_are_bounded_does_not_repeat_the_learning(pipeline: Pipeline) -> None:
    keys = [LEARN.key(replace(pipeline.run, config=load_config("test", overrides=[own])), {}, {}) for own in ("bounds=2", "bounds=9")]
    assert keys[0] == keys[1]
