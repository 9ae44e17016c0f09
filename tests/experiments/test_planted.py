"""What an experiment tells the run that measures it."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.experiments.planted import ExperimentData


@pytest.mark.parametrize("place", ["/data/runs #2", "/data/a: b", "/data/it's", '/data/"x"', "/{x}, y", "no", "1e3", "/data/back\\slash"])
def test_paths_and_names_reach_the_configuration_as_they_are(place: str) -> None:
    told = ExperimentData("s", "t", {place: place}, Path(place), place, place, place)
    found = load_config(overrides=told.overrides()).evaluation
    assert (found.tests, found.truth, found.attack, found.target, found.attacker) == ({place: place}, place, place, place, place)


def test_an_attacker_who_does_not_train_is_not_named() -> None:
    told = ExperimentData("s", "t", {"scenes": "x"}, Path("truth.json"), "badnet", "banana")
    assert load_config(overrides=told.overrides()).evaluation.attacker is None
