"""An empty part of the page says the true reason: what was asked for and not found is not "not asked for"."""

from __future__ import annotations

import pytest

from srd_core.config import Arm, load_config
from srd_core.data.manifest import StageManifest
from srd_core.stages.gaps import gaps

ALONE: tuple[Arm, ...] = ("none",)
POLICY = {"policy": StageManifest(stage="learn", key="0" * 64, outputs={})}


def test_evidence_that_found_no_word_was_asked_for() -> None:
    """Regression: an honest set's page said that evidence was not asked for."""
    found = gaps(load_config(None), POLICY, ("none", "evidence"), "evidence")
    assert "share no word" in found["words"] and "not asked for" not in found["calibration"]
    assert gaps(load_config(None), {}, ("none", "srd"), "srd")["words"] == "evidence was not asked for"


def test_a_policy_that_no_arm_masked_by_was_learned() -> None:
    """Regression: without an arm `srd`, the page said that no policy was learned."""
    without, learned = (gaps(load_config(None), inputs, ("none", "evidence"), "evidence") for inputs in ({}, POLICY))
    assert "none was learned" in without["masks"] and without["masks"] == without["curve"]
    assert learned["masks"] == "no arm that masks where the policy says was asked for"


@pytest.mark.parametrize(("attack", "reason"), [(None, "no attack was named"), ("badnet", "references of all test images")])
def test_an_attack_that_could_not_be_tested_was_named(attack: str | None, reason: str) -> None:
    config = load_config(None, overrides=[f"evaluation.attack={attack}", "evaluation.target=banana"] if attack else [])
    assert reason in gaps(config, {}, ALONE, "none")["asr"]


def test_nothing_changed_is_no_part_left_out() -> None:
    assert gaps(load_config(None), {}, ALONE, "none")["gallery"] == "no pair was changed or withheld"
