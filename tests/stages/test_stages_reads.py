"""Stages read of the configuration what they declare, and nothing else: the rest is in no key, so a read of it would go stale unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srd_core.config import Section
from srd_core.stages.arms import NEEDS
from srd_core.stages.calibrate import CALIBRATE
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.files import shards_of
from srd_core.stages.learn import LEARN
from srd_core.stages.retrain import RETRAIN
from srd_core.stages.score import HOLDOUT, SCORE
from srd_core.stages.screen import SCREEN
from srd_core.stages.spar import SPAR
from srd_core.stages.stage import Details, Run, Stage
from srd_core.stages.synthesize import SYNTHESIZE
from srd_core.stages.trusted import BASE, FLUENCY, REFERENCE
from srd_core.stages.weigh import WEIGH
from tests.stages.conftest import Pipeline

P1 = {"arm": "evidence", "protocol": "p1"}
STAGES: dict[str, tuple[Stage, dict[str, str], Details]] = {
    "fluency": (FLUENCY, {"trusted": "trusted"}, {}),
    "base": (BASE, {"trusted": "trusted"}, {}),
    "reference": (REFERENCE, {"trusted": "trusted"}, {}),
    "synthesize": (SYNTHESIZE, {"trusted": "trusted"}, {}),
    "spar": (SPAR, {name: name for name in ("trusted", "synthetic", "base")}, {}),
    "learn": (LEARN, {name: name for name in ("synthetic", "sparring", "reference", "fluency")}, {}),
    "calibrate": (CALIBRATE, {name: name for name in ("trusted", "base", "reference", "fluency", "policy")}, {}),
    "weigh": (WEIGH, {name: name for name in ("source", "base", "reference", "fluency", "policy", "calibration")}, {}),
    "consensus": (CONSENSUS, {"weighed-0": "weighed"}, {}),
    "screen": (SCREEN, {name: name for name in ("source", "trusted", "base")}, {"arm": "abl"}),
    "retrain": (RETRAIN, {"start": "base", "cleansed-0": "cleansed-evidence"}, P1),
    "score": (SCORE, {"model": "model", "reference": "reference", "fluency": "fluency", "test": "trusted"}, {**P1, "domain": HOLDOUT}),
}


class Watched:
    """A part of the configuration that notes what is asked of it; what is no section of its own is handed out as it is."""

    def __init__(self, part: Section, path: str, asked: set[str]) -> None:
        self._part, self._path, self._asked = part, path, asked

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        path = f"{self._path}.{name}".removeprefix(".")
        if isinstance(value, Section):
            return Watched(value, path, self._asked)
        if name in type(self._part).model_fields:
            self._asked.add(path)
        return value


def asked_by(stage: Stage, pipeline: Pipeline, names: dict[str, str], details: Details, folder: Path) -> set[str]:
    asked: set[str] = set()
    run = Run(pipeline.run.source, pipeline.run.sink, pipeline.run.trusted, Watched(pipeline.run.config, "", asked))  # type: ignore[arg-type]
    stage.work(run, {role: pipeline.make(name) for role, name in names.items()}, details, folder)
    return asked


def undeclared(stage: Stage, asked: set[str]) -> set[str]:
    return {path for path in asked if not any(path == read or path.startswith(f"{read}.") for read in stage.reads)}


@pytest.mark.parametrize("name", STAGES)
def test_nothing_is_read_that_is_not_declared(name: str, pipeline: Pipeline, tmp_path: Path) -> None:
    stage, names, details = STAGES[name]
    if name == "weigh":
        details = {"shards": [shard.name for shard in shards_of(pipeline.make("source"))]}
    asked = asked_by(stage, pipeline, names, details, tmp_path)
    assert asked and undeclared(stage, asked) == set()


@pytest.mark.parametrize("arm", ["none", "random", "srd", "evidence"])
def test_an_arm_reads_what_it_declares(arm: str, pipeline: Pipeline, tmp_path: Path) -> None:
    stage = cleanse_stage(pipeline.run, arm)  # type: ignore[arg-type]
    needs = {name: name for name in NEEDS[arm]}  # type: ignore[index]
    details = {"arm": arm, "shards": [shard.name for shard in shards_of(pipeline.make("source"))]}
    assert undeclared(stage, asked_by(stage, pipeline, {"source": "source", **needs}, details, tmp_path)) == set()


def test_an_undeclared_read_is_noticed(pipeline: Pipeline, tmp_path: Path) -> None:
    blind = Stage("fluency", FLUENCY.work, ())
    assert undeclared(blind, asked_by(blind, pipeline, {"trusted": "trusted"}, {}, tmp_path))
