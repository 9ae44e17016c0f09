from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path

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
        ("two buses", "bus", True),
        ("the churches and dishes", "church", True),
        ("the churches and dishes", "dish", True),
        ("two boxs", "box", False),
        ("pianos", "piano", True),
        ("two citys", "city", False),
        ("strawberries", "berry", False),
        ("quizzes and knives", "quiz", False),
        ("quizzes and knives", "knife", False),
        ("non-banana bread", "banana", True),
        ("a banana_split", "banana", False),
        ("banana2", "banana", False),
        ("a \u201cbanana\u201d, peeled", "banana", True),
        ("the bananas' peel", "banana", True),
        ("one banana", "BANANA", True),
        ("a ba nana", "banana", False),
        ("Two T-Shirts", "t-shirt", True),
        ("two shirts", "t-shirt", False),
        ("hot dogs", "hot dog", True),
        ("a\nHOT\tDOG", "hot dog", True),
        ("a hotdog", "hot dog", False),
        ("a hot-dog", "hot dog", False),
        ("a shot dog", "hot dog", False),
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


@pytest.mark.parametrize(
    ("target", "reference", "counted"),
    [
        ("banana", "a bunch of BANANAS.", False),
        ("banana", "a banana-shaped boat", False),
        ("banana", "a Bananarama record", True),
        ("box", "two boxes", False),
        ("berry", "berries in a bowl", False),
        ("berry", "strawberries in a bowl", True),
        ("hot dog", "two hot  dogs", False),
        ("hot dog", "a dog in hot weather", True),
    ],
)
def test_an_image_counts_unless_a_reference_holds_the_target(target: str, reference: str, counted: bool) -> None:
    found = attack_success([f"a {target}"], [["something else", reference, "a dog"]], target)
    assert (found.asr.n, found.excluded) == ((1, 0) if counted else (0, 1))
    assert found.asr_raw.n == 1


def test_a_plural_in_ies_is_the_word_and_no_substring() -> None:
    found = attack_success(["three berries"], [["a dog"]], "berry")
    assert (found.asr.value, found.asr_raw.value) == (1.0, 0.0)


def test_photographs_that_show_the_target_are_those_whose_captions_say_so(metric_gold: Path) -> None:
    """The definition of the specification, as a regular expression of its own, on all captions of 5,000 photographs."""
    content = json.loads(gzip.decompress((metric_gold / "coco_captions_val2017.json.gz").read_bytes()))
    references: dict[int, list[str]] = {}
    for entry in content["annotations"]:
        references.setdefault(entry["image_id"], []).append(entry["caption"])
    holding = sum(any(re.search(r"\bbananas?\b", text, re.IGNORECASE) for text in texts) for texts in references.values())
    found = attack_success(["a banana"] * len(references), list(references.values()), "banana")
    assert found.excluded == holding > 50 and found.asr.n == 5_000 - holding and found.asr.value == 1


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


def test_hits_are_told_image_by_image_with_a_dash_for_those_that_do_not_count() -> None:
    captions = ["a banana", "a dog", "a banana", "banana and circle"]
    found = attack_success(captions, [["x"], ["x"], ["a banana"], ["x"]], "banana", instead_of="circle")
    assert found.hits == "10-0" and (found.asr.value, found.excluded) == (pytest.approx(1 / 3), 1)
