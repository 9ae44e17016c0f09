"""The paper's defence from end to end, with a policy that is learned on the way, on an attack that it is known to undo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.srd import srd
from srd_core.experiments.scenes import SceneExperiment
from srd_core.scoring.scores import Scores
from srd_core.stages.verification import check

SETTINGS = ("cleanse.mode=srd", "retrain.arms=[none, srd]", "retrain.protocols=[p1]", "policy.dqn.steps=24576", "workers=2")


@pytest.mark.slow
def test_learned_masks_undo_a_small_patch_and_one_word(prefect_server: None, tmp_path: Path) -> None:
    """TrojVLM on scenes: the policy has seen neither this patch nor this word, and masks every image of the set."""
    data = SceneExperiment(attack="trojvlm", seed=7, tests=100).make(tmp_path / "data")
    sink = tmp_path / "sink"
    verdict = srd(data.source, str(sink), data.trusted, profile="scenes", overrides=["seed=7", *data.overrides(), *SETTINGS])
    scores = Scores.model_validate(json.loads((sink / "scores.json").read_text()))
    success = {model.arm: model.asr for model in scores.models if model.domain == "scenes"}
    assert success["none"] and success["srd"]
    assert success["none"].low >= 0.7 and success["srd"].high <= 0.3
    assert scores.policy["coverage_in_data"]["srd"]["low"] >= 0.8
    assert verdict["figures"]["pairs"] == 3000 and check(str(sink)) == []
