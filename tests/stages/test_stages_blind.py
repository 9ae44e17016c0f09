"""What learns or decides cannot see the truth: not in what it declares to read, and not through the code that it can reach."""

from __future__ import annotations

from typing import get_args

import pytest

from srd_core.config import Arm, load_config
from srd_core.stages.calibrate import CALIBRATE
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.code import reachable
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.learn import LEARN
from srd_core.stages.retrain import RETRAIN
from srd_core.stages.score import SCORE
from srd_core.stages.screen import SCREEN
from srd_core.stages.spar import SPAR
from srd_core.stages.stage import Run, Stage
from srd_core.stages.synthesize import SYNTHESIZE
from srd_core.stages.trusted import BASE, FLUENCY, REFERENCE
from srd_core.stages.weigh import WEIGH

RUN = Run("source", "sink", "trusted", load_config("test"))
BLIND = (
    FLUENCY,
    BASE,
    REFERENCE,
    SYNTHESIZE,
    SPAR,
    LEARN,
    CALIBRATE,
    WEIGH,
    CONSENSUS,
    RETRAIN,
    SCREEN,
    *(cleanse_stage(RUN, arm) for arm in get_args(Arm) if arm != "covered"),
)
TELLTALES = {
    "srd_core.stages.truth",
    "srd_core.stages.report",
    "srd_core.stages.score",
    "srd_core.stages.test_images",
    "srd_core.stages.probe",
    "srd_core.stages.attention",
    "srd_core.stages.backdoor",
}
"""What reads the list of poisoned pairs or the attack's name."""
ATTACKS = "srd_core.attacks"


@pytest.mark.parametrize("stage", BLIND, ids=lambda stage: stage.name)
def test_no_stage_that_learns_or_decides_reads_the_evaluation_section(stage: Stage) -> None:
    assert [key for key in stage.reads if key.split(".")[0] == "evaluation"] == []


@pytest.mark.parametrize("stage", BLIND, ids=lambda stage: stage.name)
def test_no_stage_that_learns_or_decides_can_reach_the_code_that_reads_the_truth(stage: Stage) -> None:
    assert reachable(stage.work.__module__) & TELLTALES == set()


@pytest.mark.parametrize("stage", BLIND, ids=lambda stage: stage.name)
def test_no_stage_that_learns_or_decides_can_reach_an_attack(stage: Stage) -> None:
    assert {module for module in reachable(stage.work.__module__) if module.startswith(ATTACKS)} == set()


def test_what_measures_an_attack_reaches_it() -> None:
    assert f"{ATTACKS}.badnet" in reachable(SCORE.work.__module__)


@pytest.mark.parametrize("stage", BLIND, ids=lambda stage: stage.name)
def test_the_truth_changes_nothing_about_what_they_do(stage: Stage) -> None:
    truth = ["evaluation.truth=/somewhere/list.json", "oracle.truth=/somewhere/list.json", "oracle.poison_rate=0.3"]
    told = load_config("test", overrides=["evaluation.attack=badnet", "evaluation.target=pear", *truth])
    details = {"arm": "none", "protocol": "p1"}
    assert stage.key(RUN, {}, details) == stage.key(Run("source", "sink", "trusted", told), {}, details)
