"""What the page says beside the figures: which words of a caption are marked, and why it is there."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from srd_core.report import names
from srd_core.report.data import ReportData
from srd_core.report.html import render


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
