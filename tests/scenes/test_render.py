"""Pixels: shapes are where and what the scene says, grounds differ, the two domains look different."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from srd_core.scenes.backgrounds import field
from srd_core.scenes.render import render
from srd_core.scenes.shapes import masks, outline
from srd_core.scenes.world import BACKGROUNDS, COLOURS, SHAPES, Scene, Thing, sample_scene


def _one(shape: str = "circle", colour: str = "blue", background: str = "plain", domain: str = "scenes") -> Scene:
    return Scene((Thing(shape, colour, "big", 0.4, 0.5, 0.2, 0.0),), background, domain)  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [32, 64, 100])
def test_any_side(side: int) -> None:
    image = render(_one(), np.random.default_rng(0), side)
    assert image.shape == (side, side, 3) and image.dtype == np.uint8


@pytest.mark.parametrize("colour", COLOURS)
def test_a_solid_shape_has_its_colour_inside(colour: str) -> None:
    image = render(_one(colour=colour), np.random.default_rng(0), 64)
    assert np.abs(image[32, 26].astype(int) - COLOURS[colour]).max() <= 40


@pytest.mark.parametrize("domain", ["scenes", "sketch"])
@pytest.mark.parametrize("shape", SHAPES)
def test_only_pixels_near_the_shape_depend_on_it(shape: str, domain: str) -> None:
    scene = _one(shape, domain=domain)
    bare = render(replace(scene, things=()), np.random.default_rng(3), 64)
    changed = (render(scene, np.random.default_rng(3), 64) != bare).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert 40 < changed.sum() < 800
    assert abs(columns.mean() - 0.4 * 64) < 5 and abs(rows.mean() - 32) < 5
    assert columns.min() >= 0.4 * 64 - 0.23 * 64 - 1 and columns.max() <= 0.4 * 64 + 0.23 * 64 + 1


def test_shapes_differ_from_each_other() -> None:
    drawn = {shape: masks(_one(shape).things[0], 64, 0.014)[0] for shape in SHAPES}
    distances = [np.abs(drawn[a] - drawn[b]).sum() for i, a in enumerate(SHAPES) for b in SHAPES[i + 1 :]]
    assert min(distances) > 60


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_stay_in_about_the_unit_box(shape: str) -> None:
    assert np.abs(outline(shape)).max() <= 1.2


def test_a_ring_has_a_hole_through_which_the_ground_shows() -> None:
    whole, body = masks(_one("ring").things[0], 64, 0.014)
    assert whole[32, 25] == 0 and body[32, 25] == 0 and whole.max() == 1


def test_edges_are_smooth() -> None:
    whole, _ = masks(_one("circle").things[0], 64, 0.014)
    assert 20 < ((whole > 0.02) & (whole < 0.98)).sum() < 120


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_textures_are_in_range_and_visible(name: str) -> None:
    values = field(name, np.random.default_rng(1), 64)
    assert values.shape == (64, 64) and values.min() >= 0 and values.max() <= 1
    assert name == "plain" or values.std() > 0.08


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_grounds_are_muted(name: str) -> None:
    for seed in range(5):
        image = render(Scene((), name, "scenes"), np.random.default_rng(seed), 64).astype(int)
        assert (image.max(axis=2) - image.min(axis=2)).max() < 80
        assert np.ptp(image.mean(axis=2)) < 60


def test_nothing_in_the_corner_looks_like_a_board_of_black_and_white() -> None:
    rng = np.random.default_rng(5)
    for _ in range(150):
        corner = render(sample_scene(rng, "scenes"), rng, 64)[-6:, -6:].astype(int)
        cells = corner.reshape(3, 2, 3, 2, 3).mean(axis=(1, 3, 4)).ravel()
        assert cells[::2].min() - cells[1::2].max() < 60


def test_the_two_domains_look_different_for_one_graph() -> None:
    scene = _one(background="brick")
    solid = render(scene, np.random.default_rng(2), 64).astype(int)
    sketch = render(replace(scene, domain="sketch"), np.random.default_rng(2), 64).astype(int)
    assert np.ptp(solid[32, 26]) > 100 and np.ptp(sketch[32, 26]) < 40
    assert np.abs(solid - sketch).mean() > 15


def test_in_a_sketch_the_outline_has_the_colour() -> None:
    image = render(_one(colour="red", domain="sketch"), np.random.default_rng(2), 64).astype(int)
    reddish = (image[..., 0] - image[..., 1] > 120).sum()
    assert 60 < reddish < 350
