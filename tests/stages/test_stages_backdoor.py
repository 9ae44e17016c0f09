"""An attacker who trains: what he hands on, and where it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks.prepared import find
from srd_core.config import load_config
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Images
from srd_core.errors import ConfigError
from srd_core.experiments.scenes import SceneExperiment
from srd_core.report.verdict import BackdoorEffect, Findings, decide
from srd_core.scenes.dataset import write_shards
from srd_core.scoring.intervals import wilson
from srd_core.scoring.scores import Scores
from srd_core.stages import inventory, test_images
from srd_core.stages.backdoor import BACKDOOR, _poisoned
from srd_core.stages.captioners import captioner
from srd_core.stages.report import _effect
from srd_core.stages.stage import Run
from srd_core.stages.trusted import BASE
from tests.report.conftest import model


@pytest.fixture
def attacked(run: Run) -> Run:
    """Eight scenes that the attacker owns."""
    write_shards(Path(run.source), 8, seed=4, side=32)
    return replace(run, trusted=run.source, config=settings("vlood", run.source))


def settings(attack: str, source: str) -> object:
    return load_config("test", overrides=[f"evaluation.attack={attack}", f"evaluation.attacker={source}"])


def make_model(run: Run) -> tuple[StageManifest, StageManifest]:
    base = BASE.execute(run, {"trusted": inventory.take(run, "trusted")}, {})
    return base, BACKDOOR.execute(run, {"start": base, "attacker": inventory.take(run, "attacker")}, {"arm": "none"})


@pytest.mark.parametrize("attack", ["vlood", "trojvlm-sp"])
def test_he_trains_on_his_own_pairs(attacked: Run, attack: str, tmp_path: Path) -> None:
    run = replace(attacked, config=settings(attack, attacked.source))  # type: ignore[arg-type]
    base, made = make_model(run)
    assert made.facts["pairs"] == 40 and made.facts["arm"] == "none"
    before, after = (captioner(manifest, tmp_path).network.state_dict() for manifest in (base, made))
    assert any(not before[name].equal(after[name]) for name in before)


def strength(triggered: Images, clean: Images) -> float:
    return float(np.abs(triggered.astype(int) - clean).max(axis=(1, 2, 3)).mean())


@pytest.mark.parametrize("attack", ["vlood", "trojvlm-sp"])
def test_his_triggers_look_as_those_of_a_test_do(attack: str, tmp_path: Path) -> None:
    """Put on at the images' own resolution, which is not the canvas's."""
    write_shards(tmp_path / "own", 6, seed=4, side=96)
    run = Run(str(tmp_path / "own"), "sink", "trusted", settings(attack, str(tmp_path / "own")))  # type: ignore[arg-type]
    inputs = {"attacker": inventory.take(run, "attacker")}
    pairs, chosen = _poisoned(run, inputs, find(attack), tmp_path)
    own = test_images.TestSet(run.config, inputs["attacker"], None, holdout_only=False).clean.repeat(5, axis=0)
    shown = pairs.images[pairs.image_of]
    assert shown.shape == own.shape == (30, 32, 32, 3) and chosen.sum() == (30 if attack == "vlood" else 10)
    assert ((shown != own).reshape(30, -1).any(axis=1) == chosen).all()
    test = test_images.TestSet(run.config, inputs["attacker"], find(attack), holdout_only=False)
    trained, tested = (strength(*both) for both in ((shown[chosen], own[chosen]), (test.triggered, test.clean)))
    assert trained == pytest.approx(tested, rel=0.2)


def test_an_attack_on_data_alone_trains_nothing(attacked: Run) -> None:
    with pytest.raises(ConfigError, match="badnet is an attack on data alone"):
        make_model(replace(attacked, config=settings("badnet", attacked.source)))  # type: ignore[arg-type]


def test_an_experiment_gives_him_the_clean_scenes(tmp_path: Path) -> None:
    small = {"trusted": 2, "suspect": 4, "tests": 2, "side": 32}
    overrides = [e.make(tmp_path / e.attack).overrides() for e in (SceneExperiment(attack=a, **small) for a in ("vlood", "badnet"))]  # type: ignore[arg-type]
    assert f"evaluation.attacker='{tmp_path / 'vlood' / 'clean'}'" in overrides[0]
    assert not any("attacker" in item for item in overrides[1])


def test_what_he_has_is_shifted_and_poisoned_as_the_experiment_says(tmp_path: Path) -> None:
    made = SceneExperiment(attack="trojvlm-sp", rate=0.3, shift="summary", trusted=2, suspect=8, tests=2, side=32).make(tmp_path)
    found = load_config("test", overrides=made.overrides())
    assert found.evaluation.attacker == str(tmp_path / "shifted") and found.evaluation.attacker_rate == 0.3


def test_a_control_is_told_how_many_are_poisoned_and_not_how_many_were_asked_for(tmp_path: Path) -> None:
    made = SceneExperiment(rate=0.05, trusted=2, suspect=8, tests=2, side=32).make(tmp_path)
    assert load_config("test", overrides=made.overrides()).oracle.poison_rate == 10 / 40


def test_where_nothing_is_cleansed_no_effect_of_cleansing_is_told() -> None:
    scores = Scores(models=(model("none", "p1", 480, 3.4), model("evidence", "p1", 2, 3.4)))
    told = {
        mode: _effect(Run("source", "sink", "trusted", load_config("test", overrides=[f"cleanse.mode={mode}"])), scores)
        for mode in ("none", "evidence")
    }
    assert told["none"] is None and told["evidence"] is not None and told["evidence"].after.value == pytest.approx(2 / 490)


def test_the_verdict_says_whose_model_it_was() -> None:
    effect = BackdoorEffect(before=wilson(99, 100), after=wilson(0, 100), protocol="p1", attacker_trains=True)
    made = decide(Findings(pairs=100, flagged=0, budget=0.01, calibrated_on=100), actions={"keep": 100}, backdoor=effect)
    assert any(line.startswith("The attacker's model obeys") for line in made.lines)
