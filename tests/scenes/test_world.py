"""Scene graphs: what may be sampled, and relations."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srd_core.scenes.world import BACKGROUNDS, COLOURS, SHAPES, Thing, is_near, relation, sample_scene


def _scene(seed: int):
    return sample_scene(np.random.default_rng(seed), "scenes")


@given(st.integers(0, 2**32))
def test_things_stay_inside_and_apart(seed: int) -> None:
    things = _scene(seed).things
    for thing in things:
        assert thing.radius <= thing.x <= 1 - thing.radius and thing.radius <= thing.y <= 1 - thing.radius
    for a, b in combinations(things, 2):
        assert np.hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius


@given(st.integers(0, 2**32))
def test_no_two_things_have_the_same_words(seed: int) -> None:
    things = _scene(seed).things
    assert len({(t.colour, t.shape) for t in things}) == len(things)


def test_every_colour_shape_background_and_count_occurs() -> None:
    scenes = [_scene(i) for i in range(600)]
    things = [t for s in scenes for t in s.things]
    assert {t.colour for t in things} == set(COLOURS)
    assert {t.shape for t in things} == set(SHAPES)
    assert {s.background for s in scenes} == set(BACKGROUNDS)
    assert {len(s.things) for s in scenes} == {1, 2, 3}


def test_the_world_is_as_rich_as_promised() -> None:
    assert len(COLOURS) >= 8 and len(SHAPES) >= 6 and len(BACKGROUNDS) >= 6


def test_colours_are_far_from_each_other() -> None:
    values = np.array(list(COLOURS.values()), dtype=float)
    gaps = [np.abs(a - b).max() for a, b in combinations(values, 2)]
    assert min(gaps) >= 60


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_relation_and_its_opposite(x0: float, y0: float, x1: float, y1: float) -> None:
    a, b = (Thing("circle", "red", "big", x, y, 0.1, 0.0) for x, y in ((x0, y0), (x1, y1)))
    opposite = {"left": "right", "right": "left", "above": "below", "below": "above"}
    if abs(abs(x0 - x1) - abs(y0 - y1)) > 1e-9:
        assert relation(b, a) == opposite[relation(a, b)]


def test_near_is_about_the_gap_and_not_the_centres() -> None:
    big = Thing("circle", "red", "big", 0.3, 0.5, 0.2, 0.0)
    assert is_near(big, Thing("circle", "blue", "big", 0.75, 0.5, 0.2, 0.0))
    assert not is_near(big, Thing("circle", "blue", "small", 0.75, 0.5, 0.1, 0.0))
