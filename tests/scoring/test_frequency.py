"""Words that a set has more of: a planted one, not what chance makes of rare ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from srd_core.scoring.frequency import LIFT, FrequentWord, frequent_words

WORDS = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(0, 40), max_size=8)


def test_a_planted_word_is_told_and_a_common_one_is_not() -> None:
    found = frequent_words({"banana": 20, "dog": 2600, "a": 9900}, 10_000, {"dog": 3900, "a": 14_800}, 15_000)
    assert found == [FrequentWord("banana", 20, 0.002, 0, 0.0)]


def test_a_word_that_trusted_captions_hold_too_is_told_where_there_is_four_times_as_much() -> None:
    known = {"ball": 100, "frisbee": 100}
    found = frequent_words({"ball": 450, "frisbee": 350}, 10_000, known, 10_000)
    assert [item.word for item in found] == ["ball"] and found[0].usual == 0.01


def test_the_most_telling_word_is_first_and_few_are_told() -> None:
    held = {f"w{n}": 20 + n for n in range(50)}
    found = frequent_words(held, 1000, {}, 1000)
    assert [item.word for item in found] == [f"w{n}" for n in range(49, 29, -1)]


def test_two_draws_from_one_language_differ_in_nothing() -> None:
    """Words as frequent as Zipf has them, drawn for two sets of another size each."""
    rng, shares = np.random.default_rng(0), 0.3 / np.arange(1, 2001)
    for _ in range(20):
        held, known = (dict(zip(map(str, range(2000)), rng.binomial(n, shares).tolist(), strict=True)) for n in (10_000, 3000))
        assert frequent_words(Counter(held), 10_000, known, 3000) == []


@given(WORDS, WORDS, st.integers(40, 60), st.integers(0, 60))
def test_what_is_told_is_as_much_more_as_promised(held: dict[str, int], known: dict[str, int], captions: int, trusted: int) -> None:
    for item in frequent_words(held, captions, known, trusted):
        assert item.held == held[item.word] and item.trusted <= trusted
        assert item.share >= min(LIFT * (item.trusted + 1) / (trusted + 2), 1.0)
