"""The distance of two sets, against known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from srd_core.scoring.distance import beyond_chance, distance, independent, percentiles, together

RNG = np.random.default_rng(0)
SCORES = arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5, width=16))


def test_a_set_is_near_itself_and_what_lies_elsewhere_is_apart() -> None:
    scores = RNG.normal(size=500)
    assert distance(scores, percentiles(scores)) < 0.015
    assert distance(scores + 100, percentiles(scores)) == 1.0


def test_half_of_a_uniform_set_moved_away_is_a_distance_of_a_half() -> None:
    scores = np.linspace(0, 1, 2001)
    assert distance(scores + 0.5, percentiles(scores)) == pytest.approx(0.5, abs=0.01)


def test_it_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for shift in (0.0, 0.3, 1.0):
        one, other = RNG.normal(size=2000), RNG.normal(size=3000) + shift
        assert distance(one, percentiles(other)) == pytest.approx(stats.ks_2samp(one, other).statistic, abs=0.015)


@given(SCORES, SCORES)
def test_it_is_a_share(one: np.ndarray, other: np.ndarray) -> None:
    assert 0 <= distance(one, percentiles(other)) <= 1


def test_nothing_has_no_distance() -> None:
    assert math.isnan(distance([], percentiles([1.0]))) and math.isnan(distance([1.0], ()))


def test_two_samples_of_one_distribution_are_seldom_beyond_chance_and_others_are() -> None:
    rng = np.random.default_rng(0)

    def found(shift: float) -> int:
        drawn = [(rng.normal(shift, 1, 2000), percentiles(rng.normal(0, 1, 500))) for _ in range(300)]
        return sum(beyond_chance(distance(own, known), 2000, 500) for own, known in drawn)

    assert found(0.0) <= 6 and found(0.5) >= 295


def captions(rng: np.random.Generator, images: int, alike: float) -> np.ndarray:
    """Five scores an image, with this correlation between those of one."""
    return np.repeat(rng.normal(0, alike**0.5, images), 5) + rng.normal(0, (1 - alike) ** 0.5, 5 * images)


def apart(own: np.ndarray, known: np.ndarray) -> bool:
    alike = together(own, np.full(len(own) // 5, 5))
    enough, other = (independent(np.full(len(scores) // 5, 5), alike) for scores in (own, known))
    return beyond_chance(distance(own, percentiles(known)), enough, other)


@pytest.mark.parametrize("alike", [0.0, 0.24, 0.9])
def test_captions_of_one_image_are_not_taken_for_independent_ones(alike: float) -> None:
    """Regression: with five captions an image that are surprising together, data like the trusted set were called unlike it."""
    rng = np.random.default_rng(1)
    pairs = [(captions(rng, 600, alike), captions(rng, 180, alike)) for _ in range(300)]
    assert sum(apart(own, known) for own, known in pairs) <= 6
    if alike == 0.9:
        assert sum(beyond_chance(distance(own, percentiles(known)), 3000, 900) for own, known in pairs) > 30


def test_captions_of_one_image_are_not_taken_for_one_caption() -> None:
    """Regression: a set with a quarter of its pairs flagged was not called unlike the trusted one, since images were counted."""
    rng = np.random.default_rng(2)
    pairs = [(captions(rng, 600, 0.24) + 0.3, captions(rng, 180, 0.24)) for _ in range(100)]
    assert sum(apart(own, known) for own, known in pairs) > 90
    assert sum(beyond_chance(distance(own, percentiles(known)), 600, 180) for own, known in pairs) < 50


@pytest.mark.parametrize(("alike", "low", "high"), [(0.0, 0.0, 0.03), (0.24, 0.1, 0.2), (1.0, 1.0, 1.0)])
def test_how_much_captions_of_one_image_go_together(alike: float, low: float, high: float) -> None:
    assert low <= together(captions(np.random.default_rng(3), 2000, alike), np.full(2000, 5)) <= high


@given(SCORES, st.lists(st.integers(1, 4), min_size=1, max_size=60))
def test_images_are_as_many_as_they_are_at_least_and_captions_at_most(scores: np.ndarray, cut: list[int]) -> None:
    sizes = np.diff(np.minimum(np.concatenate([[0], np.cumsum(cut)]), len(scores)))
    sizes = np.concatenate([sizes[sizes > 0], np.ones(len(scores) - sizes.sum(), int)])
    alike = together(scores, sizes)
    assert 0 <= alike <= 1
    assert sizes.sum() / (sizes**2).sum() * sizes.sum() - 1e-6 <= independent(sizes, alike) <= len(scores) + 1e-6


def test_one_caption_an_image_tells_nothing_of_how_captions_go_together() -> None:
    assert together(RNG.normal(size=50), np.ones(50)) == 1.0 and independent(np.ones(50), 1.0) == 50
