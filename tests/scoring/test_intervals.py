from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.scoring.intervals import (
    Interval,
    across_seeds,
    bootstrap_cider,
    bootstrap_mean,
    independent_difference,
    paired_difference,
    share_difference,
    wilson,
)

VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=30)


def test_wilson_by_hand() -> None:
    got = wilson(8, 10)  # z = 1.959964: centre (0.8 + 0.192073) / 1.384146, half 1.959964 / 1.384146 * sqrt(0.016 + 0.009604)
    assert (got.value, got.n) == (0.8, 10)
    assert got.low == pytest.approx(0.490162, abs=1e-5)
    assert got.high == pytest.approx(0.943318, abs=1e-5)


@pytest.mark.parametrize(("successes", "low", "high"), [(0, 0.0, 0.277533), (10, 0.722467, 1.0)])
def test_wilson_at_the_ends(successes: int, low: float, high: float) -> None:
    got = wilson(successes, 10)
    assert (got.low, got.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


@given(st.integers(0, 5000), st.data())
def test_wilson_holds_its_value_inside_zero_to_one(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    got, mirrored = wilson(k, n), wilson(n - k, n)
    assert 0.0 <= got.low <= got.high <= 1.0
    if n:
        assert got.low <= got.value <= got.high
        assert got.low == pytest.approx(1 - mirrored.high, abs=1e-9)


def test_wilson_narrows_with_n_and_widens_with_level() -> None:
    few, many, sure = wilson(45, 100), wilson(2250, 5000), wilson(45, 100, level=0.99)
    assert many.high - many.low < few.high - few.low < sure.high - sure.low
    assert (many.high - many.low) / 2 == pytest.approx(0.0138, abs=2e-4)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson(3, 2)


@settings(max_examples=30, deadline=None)
@given(VALUES, st.integers(0, 2**31), st.floats(0.1, 10))
def test_bootstrap_holds_the_mean_is_repeatable_and_scales(values: list[float], seed: int, factor: float) -> None:
    got = bootstrap_mean(values, seed, resamples=200)
    assert got == bootstrap_mean(values, seed, resamples=200)
    assert got.low <= got.value <= got.high
    assert min(values) - 1e-9 <= got.low
    assert got.high <= max(values) + 1e-9
    scaled = bootstrap_mean(np.array(values) * factor, seed, resamples=200)
    assert (scaled.low, scaled.high) == (pytest.approx(got.low * factor, abs=1e-6), pytest.approx(got.high * factor, abs=1e-6))


def test_bootstrap_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(1.0, 2.0, size=400)
    got = bootstrap_mean(values, seed=1)
    half = 1.96 * values.std(ddof=1) / 20
    assert got.high - got.value == pytest.approx(half, rel=0.15)
    assert got.value - got.low == pytest.approx(half, rel=0.15)


def test_another_seed_resamples_otherwise() -> None:
    values = np.arange(20.0)
    assert bootstrap_cider(values, seed=1) != bootstrap_cider(values, seed=2)


def test_memory_is_bounded_by_drawing_in_parts() -> None:
    got = bootstrap_mean(np.tile([0.0, 1.0], 10_000), seed=0, resamples=500)
    assert got.high - got.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(20_000), rel=0.2)


def test_pairs_show_a_small_steady_difference() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 10, size=200)
    better = base + 0.5 + rng.normal(0, 0.5, size=200)
    assert paired_difference(better, base, seed=0).low > 0
    assert paired_difference(base, better, seed=0).high < 0
    apart = bootstrap_mean(better, 0), bootstrap_mean(base, 0)
    assert apart[0].low < apart[1].high  # side by side the same difference is invisible


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values against 1"):
        paired_difference([1.0, 2.0], [1.0], seed=0)


@pytest.mark.parametrize(("both", "first", "second", "neither"), [(0.9, 0.05, 0.01, 0.04), (0.3, 0.3, 0.1, 0.3), (0.02, 0.9, 0.0, 0.08)])
def test_the_change_of_a_share_lies_in_its_interval_as_often_as_it_says(both: float, first: float, second: float, neither: float) -> None:
    rng, inside = np.random.default_rng(3), 0
    for counts in rng.multinomial(100, [both, first, second, neither], size=400):
        kinds = np.repeat(np.arange(4), counts)
        found = share_difference(np.isin(kinds, (0, 1)), np.isin(kinds, (0, 2)))
        inside += found.low <= first - second <= found.high
    assert 0.92 < inside / 400 < 0.99


def test_the_change_of_a_share_by_hand() -> None:
    """Unlike in all pairs, of which each arm has the same share: as if the items were not the same, and less the correlation."""
    a, b = [1, 1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1]
    apart = independent_difference(wilson(4, 8), wilson(4, 8))
    found = share_difference(a, b)
    assert (found.value, found.n) == (0.0, 8) and (found.low, found.high) == (pytest.approx(apart.low), pytest.approx(apart.high))
    same = share_difference(a, a)
    assert apart.low < same.low < 0 < same.high < apart.high
    assert share_difference([1] * 9, [0] * 9).high == 1.0 and 0.3 < share_difference([1] * 9, [0] * 9).low < 1
    with pytest.raises(ValueError, match="2 values against 1"):
        share_difference([1, 0], [1])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_change_of_a_share_holds_itself_and_turns_with_its_arms(pairs: list[tuple[bool, bool]]) -> None:
    a, b = zip(*pairs, strict=True)
    found, turned = share_difference(a, b), share_difference(b, a)
    assert -1 - 1e-9 <= found.low <= found.value + 1e-9 and found.value <= found.high + 1e-9 <= 1 + 2e-9
    assert (turned.low, turned.high) == (pytest.approx(-found.high, abs=1e-9), pytest.approx(-found.low, abs=1e-9))


def test_across_seeds_by_hand() -> None:
    got = across_seeds([1.0, 2.0, 3.0])  # t(0.975, 2) = 4.302653, s = 1
    assert got.value == 2.0
    assert got.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), abs=1e-5)
    assert 2.0 - got.low == pytest.approx(got.high - 2.0)


def test_one_seed_has_a_value_and_no_interval() -> None:
    got = across_seeds([0.4])
    assert (got.value, got.n) == (0.4, 1)
    assert math.isnan(got.low)
    assert math.isnan(got.high)


def test_nothing_is_unknown_and_stays_so_through_json() -> None:
    got = bootstrap_mean([], seed=0)
    assert json.loads(got.model_dump_json()) == {"value": None, "low": None, "high": None, "n": 0}
    assert json.dumps(got.model_dump(mode="json"), allow_nan=False)
    assert math.isnan(Interval.model_validate_json(got.model_dump_json()).value)


def test_the_difference_of_two_shares_as_published() -> None:
    """Newcombe (1998), table II, method 10: 56 of 70 less 48 of 80."""
    found = independent_difference(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))
    assert found.n == 150
