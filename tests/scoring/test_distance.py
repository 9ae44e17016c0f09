"""The distance of two sets, against known distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from srd_core.scoring.distance import beyond_chance, distance, percentiles

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


def test_captions_of_one_image_are_not_taken_for_independent_ones() -> None:
    """Regression: with five captions an image that are surprising together, data like the trusted set were called unlike it."""
    rng = np.random.default_rng(1)

    def drawn(images: int) -> np.ndarray:
        return np.repeat(rng.normal(0, 1, images), 5) + rng.normal(0, 0.3, 5 * images)

    pairs = [(drawn(600), percentiles(drawn(180))) for _ in range(300)]
    assert sum(beyond_chance(distance(own, known), 600, 180) for own, known in pairs) <= 6
    assert sum(beyond_chance(distance(own, known), 3000, 900) for own, known in pairs) > 30
