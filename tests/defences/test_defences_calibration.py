"""Thresholds: the budget holds on clean pairs, and goes where it finds most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from srd_core.defences.calibration import Calibration, calibrate
from srd_core.errors import SourceError
from srd_core.scoring.excess import excess_p_value

RNG = np.random.default_rng(0)
scores = st.integers(1, 3).flatmap(
    lambda channels: arrays.arrays(
        np.float64, st.tuples(st.just(channels), st.integers(20, 120)), elements=st.floats(-9, 9, width=16) | st.sampled_from([0.0, 1.0])
    )
)


@given(scores, st.sampled_from([0.05, 0.1, 0.25]))
@example(np.array([[1.0] * 20, [-1.5, -2, -3, 0.5, 0, -1] + [1.0] * 14]), 0.25)  # most scores are the same, and it is the highest
def test_no_more_clean_pairs_are_flagged_than_the_budget_allows(table: np.ndarray, budget: float) -> None:
    clean = {f"c{row}": values for row, values in enumerate(table)}
    injected = {"any": {name: values + 1 for name, values in clean.items()}}
    if max(len(np.unique(values)) for values in table) + 1 < 1 / budget:
        with pytest.raises(SourceError, match="too few for these channels"):
            calibrate(clean, injected, budget)
        return
    made = calibrate(clean, injected, budget)
    assert made.flags(clean).sum() <= np.floor(budget * table.shape[1] + 1e-9)
    assert made.clean_flagged == made.flags(clean).mean()
    assert sum(made.budget.values()) == pytest.approx(budget)


@pytest.mark.parametrize("captions", [1, 5])
def test_new_clean_pairs_are_flagged_as_rarely_as_promised(captions: int) -> None:
    """Also when a channel has one score for all captions of an image, so that 500 pairs are only 100 looks."""
    rng = np.random.default_rng(7)

    def draw(pairs: int) -> dict[str, np.ndarray]:
        return {"image": np.repeat(rng.normal(size=pairs // captions), captions), "caption": rng.normal(size=pairs)}

    injected = {"poison": {"image": rng.normal(size=50) + 2, "caption": rng.normal(size=50) + 2}}
    made = [calibrate(draw(500), injected, 0.02).flags(draw(5000)).mean() for _ in range(300)]
    assert np.mean(made) <= 0.02 + 0.001 * captions


@pytest.mark.parametrize("channels", [1, 3])
def test_clean_sets_are_called_suspicious_as_rarely_as_the_level_says(channels: int) -> None:
    """Also where equal channels divide the budget, so that the division is chosen which happens to have low thresholds."""
    rng = np.random.default_rng(1)

    def draw(pairs: int, shift: float = 0.0) -> dict[str, np.ndarray]:
        return {f"c{n}": rng.normal(size=pairs) + shift for n in range(channels)}

    alarms = []
    for _ in range(400):
        made = calibrate(draw(1000), {"poison": draw(50, 2.0)}, 0.01)
        alarms.append(excess_p_value(int(made.flags(draw(2000)).sum()), 2000, 0.01, made.pairs) < 0.05)
    assert 0 < np.mean(alarms) < 0.08


def test_one_channel_spends_its_budget() -> None:
    clean = {"one": RNG.permutation(1000).astype(float)}
    assert calibrate(clean, {}, 0.013).flags(clean).sum() == 12


def test_a_channel_with_too_few_scores_of_its_own_is_not_used() -> None:
    clean = {"image": np.repeat(RNG.normal(size=50), 10), "caption": RNG.normal(size=500)}
    injected = {"poison": {"image": np.full(9, 99.0), "caption": np.full(9, 1.0)}}
    assert set(calibrate(clean, injected, 0.01).thresholds) == {"caption"}
    with pytest.raises(SourceError, match="too few for these channels"):
        calibrate({"image": clean["image"]}, {}, 0.01)


def test_what_lies_far_apart_is_all_found() -> None:
    clean = {"good": RNG.normal(size=400), "useless": RNG.normal(size=400)}
    injected = {"poison": {"good": RNG.normal(size=50) + 1e6, "useless": RNG.normal(size=50)}}
    assert calibrate(clean, injected, 0.02).recall == {"poison": 1.0}


def test_a_channel_that_does_not_help_gives_its_share_to_one_that_does() -> None:
    clean = {"useless": RNG.normal(size=2000), "good": RNG.normal(size=2000)}
    injected = {"poison": {"useless": RNG.normal(size=2000) - 9, "good": RNG.normal(size=2000) + 1.5}}
    made = calibrate(clean, injected, 0.1)
    assert made.budget == {"useless": 0.0, "good": pytest.approx(0.1)}
    assert set(made.thresholds) == {"good"}


def test_two_poisons_that_show_in_two_channels_share_the_budget() -> None:
    clean = {"a": RNG.normal(size=2000), "b": RNG.normal(size=2000)}
    low, high = (lambda: RNG.normal(size=500)), (lambda: RNG.normal(size=500) + 2)
    injected = {"first": {"a": high(), "b": low()}, "second": {"a": low(), "b": high()}}
    made = calibrate(clean, injected, 0.05)
    assert min(made.budget.values()) > 0
    assert min(made.recall.values()) > 0.4


def test_excess_is_measured_in_deviations_of_clean_scores() -> None:
    values = np.arange(101, dtype=float)
    made = calibrate({"c": values}, {}, 0.05)
    assert made.thresholds["c"] == 96
    assert made.excess({"c": np.asarray([96.0, 96 + 25 * 1.4826, 0.0])})["c"] == pytest.approx([0, 1, -96 / 25 / 1.4826])


def test_a_channel_that_hardly_varies_divides_by_nothing() -> None:
    clean = {"c": np.concatenate([np.zeros(80), np.arange(1.0, 21)])}
    made = calibrate(clean, {"poison": {"c": np.full(5, 99.0)}}, 0.05)
    assert made.scales == {"c": 1.0} and made.recall == {"poison": 1.0}


def test_too_few_pairs_say_how_many_are_needed() -> None:
    with pytest.raises(SourceError, match="99 trusted hold-out pairs") as error:
        calibrate({"c": np.zeros(99)}, {}, 0.01)
    assert "at least 100" in error.value.hint


def test_a_calibration_survives_json() -> None:
    made = calibrate({"c": RNG.normal(size=100)}, {"poison": {"c": RNG.normal(size=9)}}, 0.05)
    assert Calibration.model_validate_json(made.model_dump_json()) == made
