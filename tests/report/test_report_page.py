"""What the page says beside the figures: which words are marked, whose rows and masks these are, and what the attention maps show."""

from __future__ import annotations

import html
import math
from dataclasses import replace

import pytest

from srd_core.report import names, tables
from srd_core.report.data import ReportData
from srd_core.report.html import render
from srd_core.report.numbers import rate, unbroken
from srd_core.report.verdict import WordEvidence, percent
from srd_core.scoring.intervals import Interval, wilson


def text(data: ReportData) -> str:
    """The page with its white space made plain."""
    return " ".join(html.unescape(render(data).decode()).replace("\N{NO-BREAK SPACE}", " ").split())


def test_flags_without_the_verdicts_word_have_a_group_of_their_own(full: ReportData) -> None:
    """Regression: no false positive was ever shown, since all cards were of the planted word."""
    held, other = (replace(full.gallery[0], pair=name, told=told) for name, told in (("s/held#0", "banana"), ("s/other#0", "")))
    page = text(replace(full, gallery=(other, held)))
    places = [page.index(part) for part in ("Captions that hold “banana”", "s/held#0", "Flagged for other reasons", ">s/other#0<")]
    assert places == sorted(places)
    alone = text(replace(full, gallery=(other,)))
    assert "Flagged for other reasons" not in alone and "Captions that hold" not in alone and "s/other#0" in alone


def test_the_verdicts_word_is_marked_and_the_pairs_own_more_faintly(full: ReportData) -> None:
    item = replace(full.gallery[0], caption_before="Somebody\u2019s Banana, a banana_split", word="somebody's", told="banana")
    page = text(replace(full, gallery=(item,)))
    assert '<mark class="own">Somebody\u2019s</mark> <mark>Banana</mark>, a <mark>banana</mark>_split' in page
    assert "verdict names is marked" in page and "pair itself is marked" in page
    unmarked = text(replace(full, gallery=(replace(item, word="", told=""),)))
    assert "is marked" not in unmarked and "Somebody\u2019s Banana" in unmarked


def test_a_word_that_is_both_is_the_verdicts(full: ReportData) -> None:
    page = text(replace(full, gallery=(replace(full.gallery[0], word="banana"),)))
    assert "<mark>banana</mark>" in page and '<mark class="own">banana' not in page


def test_a_card_gives_scores_with_their_limits_and_its_reason_in_words(full: ReportData) -> None:
    page = text(replace(full, gallery=full.gallery[:1]))
    assert '<div class="over"><dt>most surprising word</dt><dd>9.74, limit 7.13</dd>' in page
    assert "<div><dt>surprise per token</dt><dd>1.31, limit 2.02</dd>" in page and "<dt>misfit (1 − SFS)</dt><dd>0.39</dd>" in page
    assert "most surprising word above its limit" in page and "nll_max" not in page
    masked = text(replace(full, gallery=full.gallery[:1], handed_back="srd"))
    assert "limit 7.13" not in masked and "9.74" in masked


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("infidelity", "misfit (1 − SFS) above its limit"),
        ("nll_mean, and the reference has nothing to say", "surprise per token above its limit, and the reference has nothing to say"),
        ("nll_max; caption cleaned", "most surprising word above its limit; caption cleaned"),
        ("nll_maximal", "nll_maximal"),
        ("every image is masked", "every image is masked"),
    ],
)
def test_reasons_are_words(reason: str, said: str) -> None:
    assert names.reason(reason) == said


def test_words_keep_the_order_in_which_they_are_telling(full: ReportData) -> None:
    """Regression: the table sorted by count, so that "the" came before the planted word."""
    found = tables.words(
        replace(full, words=tuple(WordEvidence(word=w, flagged=f, pairs=p) for w, f, p in [("fig", 300, 300), ("the", 305, 999)]))
    )
    assert found is not None and [row[0] for row in found.rows] == ["fig", "the"]


def test_the_models_of_the_users_result_come_first_and_say_so(full: ReportData) -> None:
    found = tables.arms(full)
    assert found is not None and found.own == {0} and [row[0] for row in found.rows][:3] == ["evidence", "evidence", "as it came"]
    assert text(full).count('<span class="chip">your result</span>') == 1  # what is handed back is P1's
    other = tables.arms(replace(full, handed_back="srd"))
    assert other is not None and other.rows[0][0] == names.ARMS["srd"]


def test_columns_in_which_all_models_are_alike_are_left_out(full: ReportData) -> None:
    first = [model for model in full.scores.models if model.protocol == "p1"]
    same = tuple(model.model_copy(update={"asr_raw": model.asr}) for model in first)
    whole, less = (tables.arms(replace(full, scores=full.scores.model_copy(update={"models": m}))) for m in (full.scores.models, same))
    assert whole is not None and {"Protocol", "Attack success, substring"} < set(whole.columns)
    assert less is not None and not {"Protocol", "Attack success, substring"} & set(less.columns)
    assert "Every model is P1: retrained from the base model." in less.notes and all(len(row) == len(less.columns) for row in less.rows)


def test_an_arm_that_could_look_for_nothing_says_so_below_the_table(full: ReportData) -> None:
    silent = replace(full, scores=full.scores.model_copy(update={"silent": {"srd": "<b>too few words"}}))
    said, other = tables.arms(silent), tables.arms(full)
    assert said is not None and other is not None and len(said.notes) == len(other.notes) + 1
    assert ": could look for nothing: <b>too few words" in text(silent) and "<b>too few" not in render(silent).decode()


def test_what_the_attacker_trained_is_not_the_data_as_it_came(full: ReportData) -> None:
    effect = full.verdict.figures.backdoor
    assert effect is not None
    figures = full.verdict.figures.model_copy(update={"backdoor": effect.model_copy(update={"attacker_trains": True})})
    found = tables.arms(replace(full, verdict=full.verdict.model_copy(update={"figures": figures})))
    assert found is not None and "the attacker's own model" in [row[0] for row in found.rows]


def test_masks_of_another_arm_are_told_from_the_result(full: ReportData) -> None:
    assert "run for comparison; in your result no image was masked" in text(full)
    assert "run for comparison" not in text(replace(full, handed_back="srd"))


def test_what_the_decisions_were_worth_is_said_once(full: ReportData) -> None:
    """Regression: precision and recall of all channels together stood on the row of every score, as if each had decided so."""
    found = full.scores.detection["evidence/pair"]
    kinds = ("evidence/nll_max", "evidence/nll_max by image", "evidence/q_gain", "evidence/q_gain by image", "abl")
    decided, scores = tables.detection(replace(full, scores=full.scores.model_copy(update={"detection": dict.fromkeys(kinds, found)})))
    assert [row[0] for row in decided.rows] == ["abl", "evidence", "evidence by image"] and "Precision" in decided.columns
    named = [row[0] for row in scores.rows]
    assert named == ["score of abl", "most surprising word", "most surprising word by image", "gain of a mask", "gain of a mask by image"]
    assert not {"Precision", "Recall", "Clean pairs left alone"} & set(scores.columns)


@pytest.mark.parametrize(
    ("own", "difference", "said"),
    [
        (wilson(30, 100), None, "and more than where there is no trigger: these maps show the trigger"),
        (wilson(9, 100), Interval(value=0.08, low=-0.01, high=0.1, n=100), "but no more than in the clean model: something else"),
        (wilson(1, 400), Interval(value=0.01, low=0.001, high=0.02, n=100), "area, if more than in the clean model: these maps do not"),
        (Interval(value=math.nan, low=math.nan, high=math.nan, n=0), None, "1.0 % of the clean one's.</p>"),
        (wilson(1, 400), None, "no more than its share of the area: these maps do not show the trigger"),
    ],
)
def test_attention_maps_are_judged_by_their_intervals(full: ReportData, own: Interval, difference: Interval | None, said: str) -> None:
    assert full.attention is not None
    page = text(replace(full, attention=replace(full.attention, backdoored=own, difference=difference)))
    assert said in page and "<span>clean model</span>" in page


@pytest.mark.parametrize(
    "appearing", [None, Interval(value=-0.06, low=-0.08, high=-0.05, n=499), Interval(value=0.0, low=-0.1, high=0.1, n=9)]
)
def test_a_place_that_is_looked_at_without_a_trigger_too_shows_none(full: ReportData, appearing: Interval | None) -> None:
    """Regression: of TrojVLM on photographs the page said that the maps show the trigger, whose place got more of them without it."""
    assert full.attention is not None
    page = text(replace(full, attention=replace(full.attention, backdoored=wilson(30, 100), appearing=appearing)))
    assert "but no more than where there is no trigger: these maps do not show that the model sees it" in page


def test_no_sign_for_per_cent_is_torn_off(full: ReportData) -> None:
    assert unbroken("10.3 % of 5 %, a % b") == "10.3\N{NO-BREAK SPACE}% of 5\N{NO-BREAK SPACE}%, a % b"
    page = render(full).decode()
    assert "95 %" not in page and not [line for line in full.verdict.lines if " %" in line and line in page]


@pytest.mark.parametrize("share", [0, 4e-5, 0.00534, 0.0099996, 0.123, 0.99949, 0.9995, 1, math.nan])
def test_a_share_is_written_alike_in_the_verdict_and_in_the_tables(share: float) -> None:
    assert rate(share) == percent(share).replace(" ", "\N{NO-BREAK SPACE}") != ""
