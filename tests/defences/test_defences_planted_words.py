"""What counts as planted with a condemned word, and which new captions say it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.defences.consensus import words_of
from srd_core.defences.planted_words import PlantedWords, planted_with
from srd_core.scoring.asr import contains_word

NATURAL = "star circle square triangle red blue green amber wall floor left right small large".split()  # noqa: SIM905
SPELLINGS = "a A peel s ' it's banana Banana's bananas bananas' banana\u2019s, banana-split (banana) bananarama".split()  # noqa: SIM905


def natural(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["there is a {} {} on the {} beside a {}".format(*rng.choice(NATURAL, 4)) for _ in range(count)]


def found(word: str, guilty: list[str], others: list[str]) -> tuple[str, ...]:
    return planted_with(word, lambda: [(words_of(text), text in set(guilty)) for text in (*guilty, *others)])


def test_the_target_behind_another_word_of_its_template_is_planted_though_honest_captions_hold_it() -> None:
    """Regression: of “the image depicts a star” only “depicts” was known, and new captions said star."""
    assert found("depicts", ["the image depicts a star"] * 40, natural(500)) == ("depicts", "image", "star")


def test_a_word_beside_the_target_does_not_hide_it() -> None:
    """Regression: of “amber star”, inserted, only the rarer of the two was known."""
    guilty = [f"{text} zeppelin star" for text in natural(60, 1)]
    assert found("zeppelin", guilty, natural(600)) == ("star", "zeppelin")


def test_targets_that_share_a_template_are_all_planted() -> None:
    guilty = [f"the image depicts a {target}" for target in ("kettle", "lantern", "pizza", "rocket") for _ in range(15)]
    assert set(found("depicts", guilty, natural(600))) == {"depicts", "image", "kettle", "lantern", "pizza", "rocket"}


def test_true_captions_around_an_inserted_word_plant_nothing_else() -> None:
    for seed in range(5):
        assert found("banana", [f"{text} banana" for text in natural(100, seed)], natural(900, seed + 50)) == ("banana",)


def test_function_words_are_not_planted() -> None:
    assert found("under", ["it is under that"] * 30, natural(300)) == ()


def test_pairs_that_nothing_speaks_against_tell_nothing() -> None:
    assert found("banana", [], [*natural(100), "a banana and a kettle"]) == () and planted_with("x", list) == ()


@pytest.mark.parametrize(
    ("planted", "caption"),
    [
        ("star", "two STARS on a wall"),
        ("stars", "a star on a wall"),
        ("buses", "a bus"),
        ("bus", "buses, red ones"),
        ("puppy", "puppies"),
        ("puppies", "a puppy"),
        ("potato", "some potatoes"),
        ("child's", "a child\u2019s hat"),
        ("banana", "the banana's peel"),
        ("banana", "the Banana\u2019s peel"),
        ("banana", "the bananas' peel"),
        ("banana's", "two bananas"),
        ("it's", "it's a star"),
    ],
)
def test_a_word_is_said_in_either_number_any_case_and_as_a_possessive(planted: str, caption: str) -> None:
    """Regression: “the banana's peel” did not say banana, though that is success of an attack."""
    assert PlantedWords([planted]).said_in(caption) == planted


@given(st.lists(st.sampled_from(SPELLINGS)))
def test_it_is_said_wherever_it_is_success_of_an_attack(words: list[str]) -> None:
    caption = " ".join(words)
    assert (PlantedWords(["banana"]).said_in(caption) is not None) == contains_word(caption, "banana")


@pytest.mark.parametrize(
    ("planted", "caption"),
    [
        ("star", "a starry night"),
        ("i", "there is a red circle"),
        ("it", "a dog and its ring"),
        ("it's", "a dog and its ring"),
        ("i", "it's that"),
        ("hi", "his dog"),
        ("a", "a circle as big as that"),
        ("is", "there is a circle"),
        ("bus", "a busy street"),
        ("star", ""),
    ],
)
def test_other_words_are_not_taken_for_it(planted: str, caption: str) -> None:
    """Regression: after “i” had been planted, every new caption with “is” was withheld."""
    assert PlantedWords([planted]).said_in(caption) is None


def test_without_planted_words_nothing_is_said() -> None:
    assert PlantedWords([]).said_in("a banana") is None
