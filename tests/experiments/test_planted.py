"""What an experiment tells the run that measures it."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.data.inventory import take_inventory
from srd_core.experiments import planted
from srd_core.experiments.planted import ExperimentData
from srd_core.experiments.scenes import SceneExperiment
from srd_core.experiments.shards import ShardExperiment
from srd_core.scenes.dataset import write_shards


@pytest.mark.parametrize("place", ["/data/runs #2", "/data/a: b", "/data/it's", '/data/"x"', "/{x}, y", "no", "1e3", "/data/back\\slash"])
def test_paths_and_names_reach_the_configuration_as_they_are(place: str) -> None:
    told = ExperimentData("s", "t", {place: place}, Path(place), place, place, place)
    found = load_config(overrides=told.overrides()).evaluation
    assert (found.tests, found.truth, found.attack, found.target, found.attacker) == ({place: place}, place, place, place, place)


def test_an_attacker_who_does_not_train_is_not_named() -> None:
    told = ExperimentData("s", "t", {"scenes": "x"}, Path("truth.json"), "badnet", "banana")
    assert load_config(overrides=told.overrides()).evaluation.attacker is None


@pytest.mark.parametrize("attack", ["vlood", "trojvlm-sp"])
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_an_attacker_who_plants_nothing_trains_nothing(attack: str, rate: float, tmp_path: Path) -> None:
    """Regression: his backdoored model stood in the rows of data in which nothing is planted."""
    what = SceneExperiment(side=32, trusted=4, suspect=4, tests=2, per_shard=4, attack=attack, rate=rate)
    told = what.make(tmp_path).overrides()
    assert any(setting.startswith("evaluation.attacker") for setting in told) == bool(rate)


def test_other_shards_in_the_old_place_are_poisoned_anew(tmp_path: Path) -> None:
    """Regression: the old poisoned copy was used with the new trusted and test sets."""
    clean = tmp_path / "clean"
    write_shards(clean, 20, seed=1, side=32)
    what = ShardExperiment(trusted=str(clean), suspect=str(clean), tests={"own": str(clean)}, rate=0.2)
    first = take_inventory(what.make(tmp_path / "made").source).digest
    written = (tmp_path / "made" / "suspect.poisoned.json").stat().st_mtime_ns
    assert take_inventory(what.make(tmp_path / "made").source).digest == first
    assert (tmp_path / "made" / "suspect.poisoned.json").stat().st_mtime_ns == written
    write_shards(clean, 20, seed=2, side=32)
    assert take_inventory(what.make(tmp_path / "made").source).digest != first


def test_fewer_shards_in_the_old_place_leave_none_behind_where_data_are_shifted(tmp_path: Path) -> None:
    """Regression: what the old source had more was poisoned, trained on and tested on."""
    clean = tmp_path / "clean"
    write_shards(clean, 20, seed=1, side=32, per_shard=10)
    tests = {"own": str(clean)}
    what = ShardExperiment(trusted=str(clean), suspect=str(clean), tests=tests, shift="expansion", test_shifts=("painting",), rate=0.2)
    what.make(tmp_path / "made")
    (clean / "scenes-00001.tar").unlink()
    made = what.make(tmp_path / "made")
    for place in (made.source, made.tests["painting"]):
        assert [shard.name for shard in take_inventory(place).shards] == ["scenes-00000"]


def test_other_code_has_another_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a grid with newer code wrote anew the data that one beside it was reading."""
    what = SceneExperiment()
    marks = {what.mark, SceneExperiment(seed=1).mark}
    monkeypatch.setattr(planted, "code_digest", lambda module: f"another {module}")
    assert len(marks | {what.mark}) == 3


def test_an_attack_whose_code_has_changed_is_planted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the old trigger was in the data and the new one on the test images."""
    what = SceneExperiment(side=32, trusted=4, suspect=10, tests=4, rate=0.2)
    truth = what.make(tmp_path).truth
    truth.write_text(truth.read_text().replace("badnet", "older"))
    assert "older" in what.make(tmp_path).truth.read_text()
    monkeypatch.setattr(planted, "code_digest", lambda module: f"another {module}")
    assert "older" not in what.make(tmp_path).truth.read_text()
