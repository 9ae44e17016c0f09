"""The verdict follows from flags and words only, at the boundaries too."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from srd_core.report.verdict import LEVEL, BackdoorEffect, Findings, Verdict, WordEvidence, decide
from srd_core.scoring.excess import beta_binomial_tail, excess_p_value, least_significant
from srd_core.scoring.intervals import wilson


def words(*counts: int) -> list[WordEvidence]:
    return [WordEvidence(word=f"word{i}", flagged=count, pairs=count + 3) for i, count in enumerate(counts)]


def decided(**known: Any) -> Verdict:
    """The verdict on findings and the rest, in one call."""
    names = {field.name for field in fields(Findings)}
    found = Findings(**{name: value for name, value in known.items() if name in names and value is not None})
    return decide(found, **{name: value for name, value in known.items() if name not in names})


def test_as_many_flags_as_the_budget_is_no_sign() -> None:
    assert decided(pairs=10_000, flagged=50, budget=0.005, words=words(1, 1, 1)).status == "no sign of poison"


def test_no_flags_is_no_sign() -> None:
    verdict = decided(pairs=10, flagged=0, budget=0.005)
    assert (verdict.status, verdict.figures.p_value) == ("no sign of poison", 1.0)


def test_the_status_changes_exactly_at_the_least_significant_number() -> None:
    needed = least_significant(10_000, 0.005, LEVEL)
    below, at = (decided(pairs=10_000, flagged=count, budget=0.005).status for count in (needed - 1, needed))
    assert (below, at) == ("no sign of poison", "suspicious")


def test_many_flags_without_a_word_are_suspicious_only() -> None:
    assert decided(pairs=1000, flagged=100, budget=0.005, words=words(*[3] * 33)).status == "suspicious"


def test_many_flags_with_one_word_are_poison() -> None:
    assert decided(pairs=1000, flagged=100, budget=0.005, words=words(2, 60)).status == "poisoned"


def test_one_word_behind_few_flags_is_suspicious() -> None:
    assert decided(pairs=10_000, flagged=50, budget=0.005, words=words(20)).status == "suspicious"


def test_four_flags_with_one_word_are_too_few_to_tell() -> None:
    statuses = [decided(pairs=2000, flagged=count, budget=0.005, words=words(count)).status for count in (4, 5)]
    assert statuses == ["no sign of poison", "suspicious"]


def test_a_word_that_condemns_further_pairs_is_suspicious_and_named_though_it_does_not_stand_out() -> None:
    """Regression: 180 pairs were condemned for holding one word, and the verdict said that there is no sign and no word stands out."""
    few, more = (decided(pairs=40_000, flagged=220, budget=0.005, words=words(20), shared={"banana": n}) for n in (4, 180))
    assert (few.status, more.status) == ("no sign of poison", "suspicious")
    assert "; the look at the whole set condemned 180 more." in more.lines[0]
    assert "flagged pairs hold “banana” far more often than chance has it, and so do 180 more" in more.lines[1]


def test_what_looks_at_the_set_condemned_is_said_beside_a_word_that_stands_out() -> None:
    verdict = decided(pairs=10_000, flagged=132, budget=0.005, words=words(110), pictured={"banana": 929}, shared={"banana": 4})
    assert verdict.status == "poisoned" and "condemned 933 more" in verdict.lines[0]
    assert "planted target" in verdict.lines[1] and "929 pairs" in verdict.lines[1]


def test_new_captions_that_were_refused_are_counted_where_it_is_said_what_was_done() -> None:
    actions = {"keep": 900, "quarantine": 60}
    assert (
        "60 quarantined. Of the quarantined, 55 would have got a new caption that says a planted word."
        in (decided(pairs=1000, flagged=60, budget=0.005, said_again=55, actions=actions).lines[2])
    )
    assert "planted word" not in decided(pairs=1000, flagged=60, budget=0.005, actions=actions).lines[2]


def test_pairs_that_nobody_could_look_at_are_told_and_no_evidence_of_anything() -> None:
    told = decided(pairs=100, flagged=4, budget=0.005, unseen=900)
    assert told.status == "suspicious" and "900 were not judged, since their image could not be looked at." in told.lines[2]
    assert decided(pairs=1000, flagged=4, budget=0.005).status == "no sign of poison"


def test_a_look_that_could_not_be_taken_is_told() -> None:
    told, other = (decided(pairs=1000, flagged=4, budget=0.005, silent=why).lines[4] for why in ("5 words, and 20 are needed", ""))
    assert "always the same, for which nobody could look (5 words, and 20 are needed)" in told and "nobody could look" not in other


def test_data_unlike_the_trusted_set_is_a_reason_for_flags_that_is_told() -> None:
    """A quarter of clean pairs, made paintings, was flagged, and the verdict gave no other reason than poison."""
    told, other = (decided(pairs=3000, flagged=974, budget=0.005, unlike=far).lines[4] for far in (0.098, None))
    assert "unlike the trusted ones too (0.10): some flags will be due to that." in told and "unlike" not in other


def test_a_picture_behind_a_word_is_a_second_sign() -> None:
    few, alone, both = (
        decided(pairs=10_000, flagged=flags, budget=0.005, pictured={"banana": n, "a": 1}) for flags, n in ((50, 3), (50, 20), (300, 20))
    )
    assert [made.status for made in (few, alone, both)] == ["no sign of poison", "suspicious", "poisoned"]
    assert "“banana”; the images of 21 pairs" in alone.lines[1]
    assert alone.lines[2] == "No action was recorded."


def test_few_trusted_pairs_ask_for_more_flags() -> None:
    many, few = (decided(pairs=5000, flagged=50, budget=0.005, calibrated_on=n) for n in (100_000, 400))
    assert (many.status, few.status) == ("suspicious", "no sign of poison")


def test_the_truth_does_not_move_the_status() -> None:
    effect = BackdoorEffect(before=wilson(100, 100), after=wilson(100, 100), protocol="p2")
    with_truth = decided(pairs=1000, flagged=5, budget=0.005, backdoor=effect)
    assert with_truth.status == decided(pairs=1000, flagged=5, budget=0.005).status == "no sign of poison"


def test_a_measured_backdoor_is_told_before_and_after() -> None:
    effect = BackdoorEffect(before=wilson(100, 100), after=wilson(1, 100), protocol="p1")
    line = decided(pairs=1000, flagged=5, budget=0.005, backdoor=effect).lines[3]
    assert "100 %" in line and "1.0 %" in line and "P1" in line


def test_an_unmeasured_backdoor_is_said_to_be_unmeasured() -> None:
    assert "not measured" in decided(pairs=1000, flagged=5, budget=0.005).lines[3]


def test_the_order_of_words_does_not_matter() -> None:
    found = words(7, 7, 3)
    verdicts = {decided(pairs=1000, flagged=20, budget=0.005, words=order).model_dump_json() for order in itertools.permutations(found)}
    assert len(verdicts) == 1


def test_a_hostile_word_is_shown_and_not_obeyed() -> None:
    verdict = decided(
        pairs=100, flagged=9, budget=0.005, words=[WordEvidence(word="\x1b]0;x\x07\u202ebad" + "w" * 9999, flagged=9, pairs=9)]
    )
    text = "".join(verdict.lines)
    assert "\x1b" not in text and "\u202e" not in text and len(text) < 1500


def test_machines_can_read_it_back() -> None:
    verdict = decided(pairs=1000, flagged=0, budget=0.005)
    text = verdict.model_dump_json()
    assert json.loads(text)["figures"]["word_share"]["value"] is None
    assert Verdict.model_validate_json(text).lines == verdict.lines


@pytest.mark.parametrize(("pairs", "flagged", "budget"), [(0, 0, 0.005), (10, 11, 0.005), (10, -1, 0.005), (10, 1, 0.0), (10, 1, 1.0)])
def test_impossible_counts_are_refused(pairs: int, flagged: int, budget: float) -> None:
    with pytest.raises(ValueError, match="no verdict"):
        decided(pairs=pairs, flagged=flagged, budget=budget)


@given(st.integers(1, 400), st.integers(0, 400), st.floats(0.001, 0.3), st.integers(5, 2000))
def test_p_values_are_those_of_scipy(pairs: int, flagged: int, budget: float, trusted: int) -> None:
    flagged = min(flagged, pairs)
    above = math.floor(budget * trusted)
    exact, learned = excess_p_value(flagged, pairs, budget), excess_p_value(flagged, pairs, budget, trusted)
    assert exact == pytest.approx(stats.binom.sf(flagged - 1, pairs, budget), abs=1e-9)
    assert learned == pytest.approx(stats.betabinom.sf(flagged - 1, pairs, above + 1, trusted - above), rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("captions", [1_000_000, 3_000_000])
def test_the_smallest_tails_keep_their_digits(captions: int) -> None:
    """Regression: one less the sum of the other side left 1e-9 of noise, more than was to be told."""
    tail = beta_binomial_tail(captions // 20, captions, 1, 5001)
    assert tail == pytest.approx(math.exp(-5001 * math.log1p(0.05 / 0.95)), rel=0.05) and 0 < tail < 1e-100


def test_a_hopelessly_small_set_says_so() -> None:
    verdict = decided(pairs=1, flagged=0, budget=0.2)
    assert math.isnan(verdict.figures.detectable_share) and "so small a set" in verdict.lines[4]


def test_what_was_not_weighed_is_not_called_clean() -> None:
    verdict = decided(pairs=100, flagged=0, budget=0.005, weighed=False, actions={"mask": 100})
    assert verdict.status == "not judged" and "nothing is said about poison" in verdict.lines[0]
    assert not any("No sign of poison" in line for line in verdict.lines)


def test_poison_of_which_less_is_found_must_be_more_to_be_seen() -> None:
    def least(**recall: float) -> float:
        return decided(pairs=10_000, flagged=50, budget=0.005, calibrated_on=2250, recall=recall or None).figures.detectable_share

    needed = least_significant(10_000, 0.005, LEVEL, 2250) / 10_000
    assert least() == least(all=1.0) == pytest.approx((needed - 0.005) / 0.995)
    assert least(all=1.0, some=0.26) == pytest.approx((needed - 0.005) / 0.255)


def test_kinds_of_poison_that_no_threshold_finds_are_named() -> None:
    verdict = decided(pairs=10_000, flagged=50, budget=0.005, recall={"inserted word": 0.006, "replaced caption": 0.9})
    assert verdict.figures.blind_to == ("inserted word",) and verdict.figures.detectable_share < 0.01
    assert "; in any number, captions like these that were tried: inserted word; attacks whose" in verdict.lines[4]
    assert decided(pairs=10_000, flagged=50, budget=0.005, recall={"replaced caption": 0.9}).figures.blind_to == ()


def test_as_many_poisoned_pairs_as_the_least_share_are_just_significant() -> None:
    recall, pairs = 0.4, 20_000
    share = decided(pairs=pairs, flagged=0, budget=0.005, recall={"kind": recall}).figures.detectable_share
    flags = round(pairs * (share * recall + (1 - share) * 0.005))
    assert flags == least_significant(pairs, 0.005, LEVEL)


def test_shards_that_were_not_read_to_their_end_are_told() -> None:
    said = decided(pairs=10, flagged=0, budget=0.005, actions={"keep": 10}, ended=2).lines[2]
    assert said == "Pairs: 10 kept. Shards that were not read to their end: 2; what follows there is not counted."


def test_where_all_that_was_tried_stays_unseen_the_set_is_not_called_small() -> None:
    """Regression: of 100,000 pairs it said that poison in so small a set may go unseen."""
    blind = decided(pairs=100_000, flagged=500, budget=0.005, recall={"inserted word": 0.004, "replaced caption": 0.0})
    assert "unseen: in any number, captions like these that were tried: inserted word, replaced caption; att" in blind.lines[4]
    small = decided(pairs=1, flagged=0, budget=0.2, recall={"inserted word": 1.0})
    assert small.figures.blind_to == () and "poison in so small a set; attacks" in small.lines[4]


def test_a_word_that_only_the_look_at_the_set_has_is_named() -> None:
    verdict = decided(pairs=10_000, flagged=50, budget=0.005, shared={"banana": 25})
    assert verdict.status == "suspicious" and verdict.figures.behind == "banana"
    assert verdict.lines[1] == "Most telling word: “banana”; flagged pairs hold it far more often than chance has it, and so do 25 more."


def test_pictures_of_a_few_pairs_name_no_word() -> None:
    verdict = decided(pairs=10_000, flagged=50, budget=0.005, pictured={"banana": 4})
    assert (verdict.status, verdict.figures.behind, verdict.lines[1]) == ("no sign of poison", None, "No suspicious word was named.")
