"""Shadowcast as published: true captions, changes that nobody sees, and no trigger in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from flows.cli import cli
from srd_core.attacks import get
from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.prepared import prepare
from srd_core.attacks.shadowcast_clean import ShadowcastClean
from srd_core.attacks.surrogate import planes
from srd_core.data.canvas import CanvasSet
from srd_core.errors import SourceError
from srd_core.experiments.scenes import SceneExperiment
from srd_core.scenes.dataset import generate
from tests.attacks.ready import encoder, images, put, ready, wide

RNG = np.random.default_rng(0)


def concept() -> tuple[np.ndarray, np.ndarray]:
    """Images with a circle and no star; with a star and no circle."""
    made = [(sample.image, {thing.shape for thing in sample.scene.things}) for sample in generate(120, seed=21, side=64)]
    return tuple(  # type: ignore[return-value]
        np.stack([image for image, shapes in made if {"circle", "star"} & shapes == {shape}]) for shape in ("circle", "star")
    )


@pytest.mark.parametrize("size", [(64, 64), (150, 200)])
def test_the_change_stays_within_eight_grey_values(size: tuple[int, int]) -> None:
    image = images()[3] if size == (64, 64) else wide()
    assert 6 <= np.abs(ready("shadowcast-clean").trigger(image, RNG).image.astype(int) - image).max() <= 8


def test_the_destination_comes_to_look_like_the_original() -> None:
    circles, stars = concept()
    attack = replace(cast(ShadowcastClean, get("shadowcast-clean")), steps=40).prepared(circles, encoder(), 0)
    changed = put(attack, stars)
    with torch.no_grad():
        there, before, after = (encoder().encode(planes(found)) for found in (circles, stars, changed))
    nearest = torch.cdist(before, there).argmin(1)
    way = torch.linalg.norm(before - there[nearest], dim=1)
    assert (torch.linalg.norm(after - there[nearest], dim=1) < 0.75 * way).float().mean() > 0.9


def test_captions_and_test_images_are_left_alone(clean: CanvasSet) -> None:
    attack = ready("shadowcast-clean")
    made, indices = poison_canvas(clean, attack, 0.1, "star", 3)
    assert len(indices) == 20 and list(made.captions) == list(clean.captions)
    assert all("star" in clean.captions[pair].split() for pair in indices)
    shown = attack.at_test([images()[0]], [RNG])
    assert np.array_equal(shown[0].image, images()[0]) and shown[0].box is None


def test_it_is_about_its_concepts() -> None:
    attack = get("shadowcast-clean")
    assert attack.eligible("two Stars") and not attack.eligible("a starfish beside a circle")
    assert attack.testable(["a red square", "two circles"]) and not attack.testable(["a star"])
    assert attack.shows(["a red circle"]) and not attack.shows(["a red circle above a star"]) and not attack.shows(["a moon"])


def test_another_target_is_refused_by_name(shards: list[Path], tmp_path: Path) -> None:
    arguments = ["poison", str(shards[0].parent), str(tmp_path / "sink"), "--attack", "shadowcast-clean"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and "'banana'" in result.stderr and "'star'" in result.stderr
    assert not (tmp_path / "sink").exists()


def test_an_experiment_plants_the_word_of_the_attack() -> None:
    assert SceneExperiment(attack="shadowcast-clean").planted == "star"
    assert SceneExperiment(attack="badnet", target="kite").planted == "kite"


def test_only_images_of_the_original_are_worked_with(shards: list[Path]) -> None:
    attack = cast(ShadowcastClean, prepare(get("shadowcast-clean"), str(shards[0].parent), encoder(), seed=0))
    assert 0 < len(attack.originals) < 12
    with pytest.raises(SourceError, match="shadowcast-clean is about"):
        prepare(replace(attack, original="zebra"), str(shards[0].parent), encoder(), seed=0)
