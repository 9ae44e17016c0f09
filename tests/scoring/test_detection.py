from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.scoring.detection import (
    auroc,
    auroc_interval,
    average_precision,
    average_precision_interval,
    detection_scores,
    f1,
    kept_clean,
    recall_at_fpr,
)
from srd_core.scoring.scores import DetectionScores

ITEMS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30)


def test_areas_by_hand() -> None:
    scores, poisoned = [0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, False, False]
    assert auroc(scores, poisoned) == pytest.approx(5 / 6)  # of six pairs one is the wrong way round
    assert average_precision(scores, poisoned) == pytest.approx((1 + 2 / 3) / 2)


def test_ties_count_half_and_their_order_cannot_help() -> None:
    assert auroc([1, 1, 0], [True, False, False]) == pytest.approx(0.75)
    assert auroc([5, 5, 5, 5], [True, False, True, False]) == 0.5
    assert average_precision([1, 1], [True, False]) == average_precision([1, 1], [False, True]) == 0.5


@given(ITEMS)
def test_areas_agree_with_their_definition(items: list[tuple[int, bool]]) -> None:
    scores, poisoned = [s for s, _ in items], [p for _, p in items]
    bad, good = [s for s, p in items if p], [s for s, p in items if not p]
    if bad and good:
        wins = sum((b > g) + 0.5 * (b == g) for b in bad for g in good)
        assert auroc(scores, poisoned) == pytest.approx(wins / (len(bad) * len(good)))
    else:
        assert math.isnan(auroc(scores, poisoned))
    if bad:
        at = [sum(b >= t for b in bad) / sum(s >= t for s in scores) for t in bad]
        assert average_precision(scores, poisoned) == pytest.approx(sum(at) / len(bad))


@given(ITEMS, st.floats(0.1, 50), st.floats(-10, 10))
def test_only_the_ranking_counts(items: list[tuple[int, bool]], factor: float, shift: float) -> None:
    scores, poisoned = np.array([s for s, _ in items], float), [p for _, p in items]
    moved = scores * factor + shift
    assert auroc(moved, poisoned) == pytest.approx(auroc(scores, poisoned), nan_ok=True)
    assert recall_at_fpr(moved, poisoned, 0.1) == recall_at_fpr(scores, poisoned, 0.1) or not any(poisoned)


def test_recall_at_a_false_positive_rate() -> None:
    clean = np.arange(1000.0)
    bad = np.array([2000.0, 996.5, 994.5, 989.5, 10.0])
    scores, truth = np.concatenate([clean, bad]), np.arange(1005) >= 1000
    assert recall_at_fpr(scores, truth, 0.005).value == pytest.approx(3 / 5)  # five clean items may be above
    assert recall_at_fpr(scores, truth, 0.01).value == pytest.approx(4 / 5)
    assert recall_at_fpr(scores, truth, 0.0).value == pytest.approx(1 / 5)


def test_a_tie_with_too_many_clean_items_is_not_split() -> None:
    assert recall_at_fpr([1.0] * 10, [True] * 5 + [False] * 5, 0.2).value == 0.0


def test_the_operating_point_by_hand() -> None:
    poisoned = np.array([True] * 4 + [False] * 6)
    flagged = np.array([True, True, True, False, True, False, False, False, False, False])
    got = detection_scores(np.linspace(1, 0, 10), poisoned, flagged)
    assert (got.precision.value, got.precision.n) == (3 / 4, 4)
    assert (got.recall.value, got.recall.n) == (3 / 4, 4)
    assert got.f1.value == pytest.approx(3 / 4)
    assert (got.kept_clean.value, got.kept_clean.n) == (5 / 6, 6)
    assert (got.auroc.value, got.average_precision.value, got.poisoned, got.clean) == (1.0, 1.0, 4, 6)


def test_with_nothing_poisoned_and_nothing_flagged_little_is_known() -> None:
    got = detection_scores([0.1, 0.2], [False, False], [False, False])
    assert all(
        math.isnan(value) for value in (got.auroc.value, got.average_precision.value, got.f1.value, got.precision.value, got.recall.value)
    )
    assert got.kept_clean.value == 1.0


def test_an_areas_interval_by_its_definition() -> None:
    """At its ends the area lies 1.96 of Hanley and McNeil's standard errors away, as they are there."""
    found = auroc_interval(0.9, 30, 70)
    for end in (found.low, found.high):
        first, second = end / (2 - end), 2 * end**2 / (1 + end)
        more = (50 - 1) * ((first - end**2) + (second - end**2))
        assert abs(0.9 - end) == pytest.approx(1.96 * math.sqrt((end * (1 - end) + more) / (30 * 70)), rel=1e-3)


@pytest.mark.parametrize("area", [0.0, 0.5, 1.0])
def test_an_area_is_never_certain_nor_out_of_range(area: float) -> None:
    few, many = auroc_interval(area, 10, 100), auroc_interval(area, 1000, 10_000)
    assert 0 <= few.low <= many.low <= area <= many.high <= few.high <= 1 and many.low < many.high
    assert few.high - few.low > 2 * (many.high - many.low)


def test_f1_and_its_limits_by_hand() -> None:
    """Three of five: J = 0.6, F1 = 2 · 3 / (2 · 3 + 2); Wilson's limits of 3 of 5 are 0.2307 and 0.8824."""
    found = f1(3, 5)
    assert found.value == pytest.approx(6 / 8)
    assert (found.low, found.high) == pytest.approx((2 * 0.2307 / 1.2307, 2 * 0.8824 / 1.8824), abs=1e-4)


def test_the_interval_of_an_average_precision_holds_the_true_one() -> None:
    """Of 200 draws of 30 poisoned and 270 clean scores, whose average precision is 0.67 in the long run."""
    rng, truth = np.random.default_rng(0), np.arange(300) < 30
    many = [average_precision(rng.normal(2.0 * truth), truth) for _ in range(1000)]
    found = [average_precision_interval(area, 30) for area in many[:200]]
    assert np.mean([item.low <= np.mean(many) <= item.high for item in found]) >= 0.92
    assert all(0 <= item.low < item.value < item.high <= 1 for item in found)


def test_what_earlier_versions_kept_is_still_read() -> None:
    now = detection_scores([0.1, 0.2], [False, False], [False, False]).model_dump(mode="json")
    before = DetectionScores.model_validate({**now, "average_precision": None, "f1": 0.5})
    assert math.isnan(before.average_precision.value) and (before.f1.value, before.f1.n) == (0.5, 0)


def test_kept_clean_counts_clean_items_only() -> None:
    assert kept_clean([True, False, False, False], [True, True, False, False]).value == pytest.approx(2 / 3)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="scores"):
        auroc([1.0, 2.0], [True])
    with pytest.raises(ValueError, match="not a number"):
        auroc([math.nan, 2.0], [True, False])
