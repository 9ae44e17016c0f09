from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.pretrain import ARCHITECTURE, ROLES, Recipe, pretrain

SHIPPED = Path(str(resources.files("srd_core"))) / "scenes" / "weights"


@pytest.mark.parametrize("role", ROLES)
def test_the_command_makes_a_captioner_of_the_shipped_kind(role: str, tmp_path: Path) -> None:
    recipe = Recipe(seed=5, scenes=24, sight=0.5, schedule=Schedule(epochs=1, batch_size=20))
    report = pretrain(role, tmp_path / role, recipe)
    made, shipped = FlamingoCaptioner.load(tmp_path / role), FlamingoCaptioner.load(SHIPPED / role)
    assert report.steps == 6
    assert made.architecture == shipped.architecture == ARCHITECTURE
    assert {path.name for path in (tmp_path / role).iterdir()} == {path.name for path in (SHIPPED / role).iterdir()}


@pytest.mark.parametrize("role", ROLES)
def test_the_shipped_weights_were_made_by_the_command_as_it_stands(role: str) -> None:
    notes = json.loads((SHIPPED / role / "training.json").read_text())
    assert Recipe.model_validate(notes["recipe"]) == ROLES[role]


@pytest.mark.parametrize(("role", "most"), [("base", 0.6), ("reference", 0.6)])
def test_the_shipped_weights_describe_scenes_that_they_never_saw(role: str, most: float, tmp_path: Path) -> None:
    pairs = canvas_set(40, seed=987, side=ARCHITECTURE.canvas, folder=tmp_path)
    losses = FlamingoCaptioner.load(SHIPPED / role).word_loss(np.asarray(pairs.images)[pairs.image_of], pairs.captions)
    assert np.mean([loss.mean for loss in losses]) < most


def test_the_shipped_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) <= 8_000_000
