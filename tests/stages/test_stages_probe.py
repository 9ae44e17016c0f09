"""What is measured in experiments alone, and what the trusted models are shown and the suspect ones are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from srd_core.config import load_config
from srd_core.data.loading import read_samples, split_of
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Sample
from srd_core.errors import SourceError
from srd_core.scenes.dataset import write_shards
from srd_core.stages import inventory
from srd_core.stages.files import shards_of
from srd_core.stages.learn import LEARN
from srd_core.stages.probe import PROBE
from srd_core.stages.stage import Run
from srd_core.stages.synthesize import SYNTHESIZE
from srd_core.stages.test_images import HOLDOUT
from srd_core.stages.trusted import BASE


class Pipeline(Protocol):
    """The fixture `pipeline` of conftest.py."""

    run: Run

    def make(self, name: str) -> StageManifest: ...

    def inputs(self, *names: str, **renamed: str) -> dict[str, StageManifest]: ...


def probed(pipeline: Pipeline, sink: Path, *overrides: str, domain: str = "own") -> dict[str, Any]:
    config = load_config("test", overrides=["evaluation.images=6", *overrides])
    inputs = pipeline.inputs("model", "reference", "fluency", "policy", test="trusted")
    return dict(PROBE.execute(replace(pipeline.run, sink=str(sink), config=config), inputs, {"domain": domain}).facts)


def test_the_policy_meets_the_real_trigger(pipeline: Pipeline, tmp_path: Path) -> None:
    facts = probed(pipeline, tmp_path, "evaluation.attack=badnet")
    assert facts["against_random"]["images"] == 6
    for name in ("coverage", "coverage_random"):
        assert facts[name]["n"] == 6 and 0 <= facts[name]["value"] <= 1


def test_where_no_test_set_is_named_only_what_nobody_trained_on_is_looked_at(pipeline: Pipeline, tmp_path: Path) -> None:
    everything = ["evaluation.attack=badnet", "evaluation.images=1000"]
    own, held_out = (probed(pipeline, tmp_path / domain, *everything, domain=domain) for domain in ("own", HOLDOUT))
    keys = [item.key for item in read_samples(shards_of(pipeline.make("trusted"))) if isinstance(item, Sample)]
    assert own["against_random"]["images"] == len(keys)
    assert held_out["against_random"]["images"] == sum(split_of(key, pipeline.run.config.holdout) == "holdout" for key in keys) < len(keys)


def test_a_trigger_that_fills_the_frame_has_no_coverage(pipeline: Pipeline, tmp_path: Path) -> None:
    assert set(probed(pipeline, tmp_path, "evaluation.attack=blended")) == {"against_random"}


def test_without_an_attack_there_is_nothing_to_probe(pipeline: Pipeline, tmp_path: Path) -> None:
    assert probed(pipeline, tmp_path) == {}


@pytest.mark.parametrize(("settings", "times"), [((), 1), (("base.stickers=0.5",), 1), (("base.veils=0.5", "base.copies=3"), 3)])
def test_the_base_sees_as_many_pairs_as_there_are_copies(pipeline: Pipeline, tmp_path: Path, settings: tuple[str, ...], times: int) -> None:
    config = load_config("test", overrides=settings)
    made = BASE.execute(replace(pipeline.run, sink=str(tmp_path), config=config), pipeline.inputs("trusted"), {})
    assert made.facts["pairs"] == times * pipeline.make("base").facts["pairs"]


def test_too_few_pairs_to_learn_a_policy_from_are_told(pipeline: Pipeline, tmp_path: Path) -> None:
    write_shards(tmp_path / "trusted", 2, seed=1, side=32)
    config = load_config("test", overrides=["holdout=0.01", "synthesis.pairs=3"])
    small = Run(pipeline.run.source, str(tmp_path / "sink"), str(tmp_path / "trusted"), config)
    synthetic = SYNTHESIZE.execute(small, {"trusted": inventory.take(small, "trusted")}, {})
    inputs = pipeline.inputs("sparring", "reference", "fluency") | {"synthetic": synthetic}
    with pytest.raises(SourceError, match="too few"):
        LEARN.execute(small, inputs, {})
