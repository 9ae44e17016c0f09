"""Every baseline defence as a stage: its verdicts cover all pairs, and are carried out pair by pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from srd_core.config import OracleConfig
from srd_core.data.manifest import StageManifest
from srd_core.defences.listed import Listed
from srd_core.stages.arms import SCREENS, TOLD
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.evidence_found import DecisionRows
from srd_core.stages.files import shards_of
from srd_core.stages.screen import SCREEN, screen_stage, suspicion, verdicts
from tests.stages.conftest import Pipeline


def screened(pipeline: Pipeline, arm: str) -> StageManifest:
    told = pipeline.run.config.model_copy(update={"oracle": OracleConfig(poison_rate=0.1)})
    run = replace(pipeline.run, config=told) if arm in TOLD else pipeline.run
    return screen_stage(arm).execute(run, pipeline.inputs("source", "trusted", "base"), {"arm": arm})


@pytest.mark.parametrize("arm", SCREENS)
def test_what_is_condemned_is_withheld_and_nothing_else(pipeline: Pipeline, arm: str, tmp_path: Path) -> None:
    made = screened(pipeline, arm)
    shards = [shard.name for shard in shards_of(pipeline.make("source"))]
    cleansed = cleanse_stage(pipeline.run, arm).execute(  # type: ignore[arg-type]
        pipeline.run, {"source": pipeline.make("source"), "screen": made}, {"arm": arm, "shards": shards}
    )
    rows = list(DecisionRows([cleansed], tmp_path / "decisions"))
    condemned = verdicts({"screen": made}, tmp_path)
    assert {row.pair for row in rows if row.action == "quarantine"} == {pair for pair, out in condemned.items() if out}
    assert {row.pair for row in rows if row.action == "keep"} == {pair for pair, out in condemned.items() if not out}
    of_shard = suspicion(made, tmp_path / "scores")
    assert [pair for shard in shards for pair in of_shard(shard)] == list(condemned)
    assert sum(condemned.values()) == made.facts["condemned"]


def test_a_task_is_told_of_its_own_pairs_only(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: every task made a mapping of the whole set."""
    told: list[str] = []

    class Recorded(Listed):
        def __init__(self, name: str, condemned: Mapping[str, bool]) -> None:
            super().__init__(name, condemned)
            told.extend(condemned)

    monkeypatch.setattr("srd_core.stages.cleanse.Listed", Recorded)
    first, *others = [shard.name for shard in shards_of(pipeline.make("source"))]
    inputs = {"source": pipeline.make("source"), "screen": screened(pipeline, "rare")}
    made = cleanse_stage(pipeline.run, "rare").execute(pipeline.run, inputs, {"arm": "rare", "shards": [first]})
    assert others and len(told) == made.facts["pairs"] > 0 and {pair.split("/")[0] for pair in told} == {first}


def test_a_fifth_is_dropped(pipeline: Pipeline) -> None:
    facts = screened(pipeline, "drop").facts
    assert facts["condemned"] == round(0.2 * facts["pairs"])


def test_what_no_defender_knows_reaches_the_control_that_is_named_for_it_and_no_other(pipeline: Pipeline) -> None:
    facts = screened(pipeline, "abl-oracle").facts
    assert facts["condemned"] == round(0.1 * facts["pairs"])
    told = replace(pipeline.run, config=pipeline.run.config.model_copy(update={"oracle": OracleConfig(poison_rate=0.2)}))
    for arm in SCREENS:
        keys = {screen_stage(arm).key(run, {}, {"arm": arm}) for run in (pipeline.run, told)}
        assert len(keys) == (2 if arm in TOLD else 1)
    assert not any(read.startswith("oracle") for read in SCREEN.reads)
