"""An attacker who trains: what he hands on, and where it goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.data.manifest import StageManifest
from srd_core.errors import ConfigError
from srd_core.experiments.scenes import SceneExperiment
from srd_core.report.verdict import BackdoorEffect, decide
from srd_core.scenes.dataset import write_shards
from srd_core.scoring.intervals import wilson
from srd_core.stages import inventory
from srd_core.stages.backdoor import BACKDOOR
from srd_core.stages.captioners import captioner
from srd_core.stages.stage import Run
from srd_core.stages.trusted import BASE


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


def test_an_attack_on_data_alone_trains_nothing(attacked: Run) -> None:
    with pytest.raises(ConfigError, match="badnet is an attack on data alone"):
        make_model(replace(attacked, config=settings("badnet", attacked.source)))  # type: ignore[arg-type]


def test_an_experiment_gives_him_the_clean_scenes(tmp_path: Path) -> None:
    small = {"trusted": 2, "suspect": 4, "tests": 2, "side": 32}
    overrides = [e.make(tmp_path / e.attack).overrides() for e in (SceneExperiment(attack=a, **small) for a in ("vlood", "badnet"))]  # type: ignore[arg-type]
    assert f"evaluation.attacker='{tmp_path / 'vlood' / 'clean'}'" in overrides[0]
    assert not any("attacker" in item for item in overrides[1])


def test_the_verdict_says_whose_model_it_was() -> None:
    effect = BackdoorEffect(before=wilson(99, 100), after=wilson(0, 100), protocol="p1", attacker_trains=True)
    made = decide(pairs=100, flagged=0, budget=0.01, words=[], actions={"keep": 100}, calibrated_on=100, backdoor=effect)
    assert any(line.startswith("The attacker's model obeys") for line in made.lines)
