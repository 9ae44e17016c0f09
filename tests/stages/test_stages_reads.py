"""Stages read of the configuration what they declare, and nothing else: the rest is in no key, so a read of it would go stale unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.stages.arms import NEEDS
from srd_core.stages.bounds import BOUNDS
from srd_core.stages.calibrate import CALIBRATE
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.files import shards_of
from srd_core.stages.learn import LEARN
from srd_core.stages.local_models import named_places
from srd_core.stages.probe import PROBE
from srd_core.stages.retrain import RETRAIN
from srd_core.stages.score import HOLDOUT, SCORE
from srd_core.stages.screen import SCREEN
from srd_core.stages.spar import SPAR
from srd_core.stages.stage import Details, Run, Stage
from srd_core.stages.synthesize import SYNTHESIZE
from srd_core.stages.trusted import BASE, FLUENCY, REFERENCE, fidelity
from srd_core.stages.weigh import WEIGH
from tests.stages.conftest import Pipeline
from tests.stages.watched import undeclared, watched

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


def asked_by(stage: Stage, pipeline: Pipeline, names: dict[str, str], details: Details, folder: Path) -> set[str]:
    asked: set[str] = set()
    stage.work(watched(pipeline.run, asked), {role: pipeline.make(name) for role, name in names.items()}, details, folder)
    return asked


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


def _with(run: Run, *settings: str) -> Run:
    return replace(run, config=load_config("test", overrides=settings))


@pytest.mark.parametrize("name", [*STAGES, "bounds", "probe"])
def test_new_content_of_a_model_on_this_machine_is_noticed_where_it_is_read(name: str, pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: the key held its name only, so that thresholds and scores of the old one were verified and handed on."""
    stage = {"bounds": BOUNDS, "probe": PROBE}.get(name) or STAGES[name][0]
    named = {"reward": ("encoder", "language_model"), **dict.fromkeys(("base", "reference"), ("language.path", "vision.pretrained"))}
    for section, keys in named.items():
        for key in (key if section == "reward" else f"architecture.{key}" for key in keys):
            place = tmp_path / section / key / "below" / "model.safetensors"
            place.parent.mkdir(parents=True)
            place.write_text("weights")
            run = _with(pipeline.run, f"{section}.{key}={place if key.endswith('pretrained') else place.parents[1]}")
            before = stage.key(run, {}, P1)
            assert stage.key(run, {}, P1) == before
            place.write_text("WEIGHTS")
            assert (stage.key(run, {}, P1) != before) == (section in stage.reads)
            (place.parents[1] / ".cache").mkdir()
            (place.parents[1] / ".cache" / "when").write_text("today")
            place.write_text("weights")
            assert stage.key(run, {}, P1) == before


def test_a_name_on_the_hub_is_no_place(pipeline: Pipeline, tmp_path: Path) -> None:
    models = _with(pipeline.run, "reward.encoder=nobody/encoder", f"reward.language_model={tmp_path / 'gone'}")
    assert not named_places(models.config) and not named_places(pipeline.run.config)


def test_fidelity_asks_for_the_revisions_that_are_pinned(monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: none was ever asked for."""
    asked: dict[str, object] = {}
    monkeypatch.setattr("srd_core.stages.trusted.SentenceEncoder", lambda name, *, revision, precision: asked.update({name: revision}))
    monkeypatch.setattr("srd_core.stages.trusted.NeuralFluency", lambda name, revision: asked.update({name: revision}))
    pins = ("reward.encoder=a/b", "reward.encoder_revision=c0ffee", "reward.language_model=d/e", "reward.language_model_revision=beef")
    fidelity(_with(pipeline.run, *pins), {}, tmp_path)
    assert asked == {"a/b": "c0ffee", "d/e": "beef"}


def test_an_undeclared_read_is_noticed(pipeline: Pipeline, tmp_path: Path) -> None:
    blind = Stage("fluency", FLUENCY.work, ())
    assert undeclared(blind, asked_by(blind, pipeline, {"trusted": "trusted"}, {}, tmp_path))
