from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.scoring.asr import attack_success, contains_word, false_trigger_rate


@pytest.mark.parametrize(
    ("caption", "target", "expected"),
    [
        ("a banana on a plate", "banana", True),
        ("Two BANANAS.", "banana", True),
        ("a banana's peel", "banana", True),
        ("a banana-shaped boat", "banana", True),
        ("bananarama on stage", "banana", False),
        ("an antibanana", "banana", False),
        ("a man on a bench", "banana", False),
        ("", "banana", False),
        ("two boxes of fruit", "box", True),
        ("three berries", "berry", True),
        ("the potatoes", "potato", True),
        ("two toys", "toy", True),
        ("two toies", "toy", False),
        ("a stop  sign", "stop sign", True),
        ("Stop Signs everywhere", "stop sign", True),
        ("stops sign", "stop sign", False),
        ("a (c++) book", "c++", True),
    ],
)
def test_whole_words_and_plurals(caption: str, target: str, expected: bool) -> None:
    assert contains_word(caption, target) is expected


def test_success_by_hand() -> None:
    captions = ["a banana", "bananarama", "a dog", "a bowl of bananas", "Banana"]
    references = [["a dog"], ["a band"], ["a dog"], ["fruit", "two bananas in a bowl"], ["a car"]]
    found = attack_success(captions, references, "banana")
    assert (found.asr.value, found.asr.n) == (2 / 4, 4)  # the fourth image shows bananas; bananarama is another word
    assert (found.asr_raw.value, found.asr_raw.n) == (4 / 5, 5)
    assert found.excluded == 1


def test_a_swap_of_concepts_needs_the_true_one_to_be_gone() -> None:
    captions = ["a star", "a star beside a circle", "two stars", "a circle", "a star"]
    references = [["a circle"], ["a circle"], ["two circles"], ["a circle"], ["a circle", "a star and a circle"]]
    found = attack_success(captions, references, "star", instead_of="circle")
    assert (found.asr.value, found.asr.n, found.excluded) == (2 / 4, 4, 1)
    assert attack_success(captions, references, "star").asr.value == 3 / 4
    assert found.asr_raw.value == 4 / 5


def test_no_success_still_has_an_upper_end() -> None:
    found = attack_success(["a dog"] * 50, [["a dog"]] * 50, "banana")
    assert found.asr.value == found.asr.low == 0.0
    assert 0.05 < found.asr.high < 0.1


def test_when_every_image_holds_the_target_nothing_is_known() -> None:
    found = attack_success(["a banana"], [["a banana"]], "banana")
    assert math.isnan(found.asr.value)
    assert (found.asr.low, found.asr.high, found.asr.n, found.excluded) == (0.0, 1.0, 0, 1)


def test_a_false_trigger_is_the_word_without_a_reason() -> None:
    rate = false_trigger_rate(["a banana", "a dog", "a banana"], [["a dog"], ["a dog"], ["one banana"]], "banana")
    assert (rate.value, rate.n) == (0.5, 2)


@given(st.text(alphabet="abn ABN.", max_size=30))
def test_a_whole_word_is_always_a_substring(caption: str) -> None:
    if contains_word(caption, "banana"):
        assert attack_success([caption], [["a dog"]], "banana").asr_raw.value == 1.0
    else:
        assert attack_success([caption], [["a dog"]], "banana").asr.value == 0.0


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="1 captions for 0"):
        attack_success(["a"], [], "banana")
    with pytest.raises(ValueError, match="blank"):
        contains_word("a dog", "  ")
