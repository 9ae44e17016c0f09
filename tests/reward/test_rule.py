"""Every branch of both reward rules, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from srd_core.reward.rule import RewardRule, reward

PAPER = RewardRule()
OFFICIAL = RewardRule(kind="official")
UNIT = st.floats(0, 1)


def one(rule: RewardRule, ds: float, df: float) -> float:
    return float(reward(np.array([0.5 + ds]), np.array([1.0 + df]), np.array([0.5]), np.array([1.0]), rule)[0])


@pytest.mark.parametrize(
    ("ds", "df", "expected"),
    [
        (0.1, 0.2, 3),  # both exactly at their thresholds
        (0.4, 0.6, 3),
        (0.1, 0.0, 2),  # SC improves, LF stays
        (0.3, 0.19, 2),  # SC improves, LF gains too little to count
        (0.3, -0.19, 1),  # SC improves, LF slips, not significantly
        (0.0, 0.2, 2),  # LF improves, SC stays
        (-0.09, 0.2, 1),  # LF improves, SC slips
        (0.3, -0.2, -1),  # a significant drop of LF outweighs the gain of SC
        (-0.1, 0.5, -2),  # a significant drop of SC outweighs the gain of LF
        (0.0, -0.2, -1),
        (-0.1, 0.0, -2),
        (-0.4, -0.6, -2),
        (0.0, 0.0, 0),
        (0.09, 0.19, 0),
        (-0.09, -0.19, 0),
    ],
)
def test_paper_rule(ds: float, df: float, expected: float) -> None:
    assert one(PAPER, ds, df) == expected


@pytest.mark.parametrize(
    ("ds", "df", "expected"),
    [
        (0.1, 0.5, 3),
        (0.1, 0.49, 2),
        (0.1, 0.1, 2),
        (0.1, 0.09, 1),
        (0.1, 0.0, 1),
        (0.1, -0.01, -1),
        (0.1, -0.49, -1),
        (0.1, -0.5, -2),
        (0.09, 0.5, 1),
        (-0.19, 0.5, 1),
        (-0.2, 0.5, -2),
        (-0.1, 0.49, -2),
        (-0.09, 0.49, -1),
        (0.0, 0.0, -1),
        (0.0, -0.9, -1),
    ],
)
def test_official_rule(ds: float, df: float, expected: float) -> None:
    assert one(OFFICIAL, ds, df) == expected


@pytest.mark.parametrize("rule", [PAPER, OFFICIAL])
def test_no_mask_earns_nothing_under_either_rule(rule: RewardRule) -> None:
    up, base = np.array([0.9, 0.9]), np.array([0.1, 0.1])
    assert reward(up, up, base, base, rule, no_mask=np.array([True, False])).tolist() == [0.0, 3.0]


def test_an_empty_caption_is_a_loss_in_the_paper_and_nothing_in_the_official_code() -> None:
    zero, base, empty = np.zeros(1), np.full(1, 0.8), np.array([True])
    assert reward(zero, zero, base, base, PAPER, empty=empty).tolist() == [-2.0]
    assert reward(zero, zero, base, base, OFFICIAL, empty=empty).tolist() == [0.0]


def test_a_threshold_is_reached_in_spite_of_rounding() -> None:
    assert 0.6 - 0.5 < 0.1
    got = reward(np.array([0.6], np.float32), np.array([0.9], np.float32), np.array([0.5], np.float32), np.array([0.7], np.float32), PAPER)
    assert got.tolist() == [3.0]


def test_unchanged_is_configurable() -> None:
    assert one(RewardRule(unchanged=-1.0), 0.0, 0.0) == -1
    assert one(RewardRule(kind="official", unchanged=0.5), 0.0, 0.0) == 0.5


def test_official_keeps_a_threshold_that_is_given() -> None:
    rule = RewardRule.model_validate({"kind": "official", "beta": 0.3})
    assert (rule.lam, rule.beta, rule.sc_drop, rule.lf_drop, rule.unchanged) == (0.1, 0.3, 0.2, 0.5, -1.0)
    assert RewardRule.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.parametrize("bad", [{"lamda": 0.1}, {"kind": "best"}, {"lam": 0.0}, {"beta": -0.2}])
def test_a_bad_rule_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RewardRule.model_validate(bad)


def test_scores_that_are_not_numbers_are_refused() -> None:
    half = np.array([0.5])
    with pytest.raises(ValueError, match="not finite"):
        reward(np.array([np.nan]), half, half, half, PAPER)


@given(st.lists(st.tuples(UNIT, UNIT, UNIT, UNIT), min_size=1, max_size=30), st.sampled_from([PAPER, OFFICIAL]))
def test_a_batch_equals_its_steps_and_values_are_those_of_the_rule(rows: list[tuple[float, ...]], rule: RewardRule) -> None:
    sc, lf, sc0, lf0 = (np.array(column) for column in zip(*rows, strict=True))
    together = reward(sc, lf, sc0, lf0, rule)
    alone = [float(reward(sc[i : i + 1], lf[i : i + 1], sc0[i : i + 1], lf0[i : i + 1], rule)[0]) for i in range(len(rows))]
    assert together.dtype == np.float32
    assert together.tolist() == alone
    assert set(alone) <= {-2.0, -1.0, 0.0, 1.0, 2.0, 3.0}


@given(UNIT, UNIT, UNIT, UNIT, st.floats(0, 0.5), st.floats(0, 0.5))
def test_the_paper_rule_never_pays_less_for_better_scores(sc: float, lf: float, sc0: float, lf0: float, up: float, fluent: float) -> None:
    base = (np.array([sc0]), np.array([lf0]), PAPER)
    worse, better = reward(np.array([sc]), np.array([lf]), *base), reward(np.array([sc + up]), np.array([lf + fluent]), *base)
    assert better[0] >= worse[0]
