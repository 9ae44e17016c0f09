"""The second look: what is condemned because flagged pairs share it, what is not, and what then happens to a pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.data.captions import clean
from srd_core.defences.base import Batch, PairDecision
from srd_core.defences.consensus import FEWEST, LEVEL, LIFT, MOST, OVER, SharedWord, shared_words, words_of
from srd_core.defences.planted_words import planted_with
from srd_core.defences.weighed import (
    PICTURED,
    SAID_AGAIN,
    SECOND_LOOK,
    UNSEEN,
    Weighed,
    WeighedPair,
    WeighedWriter,
    read_flags,
    read_weighed,
)
from srd_core.scoring.excess import by_chance, log_likelihood_ratio

NATURAL = "a dog man woman child ball bench street red blue runs sits plays near on with the park water".split()  # noqa: SIM905


def natural(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(NATURAL, 8)) for _ in range(count)]


def found(captions: list[str], flagged: list[bool]) -> list[SharedWord]:
    return shared_words(lambda: zip(captions, flagged, strict=True), 0.005)


def flags(count: int, share: float, seed: int = 1) -> list[bool]:
    return (np.random.default_rng(seed).random(count) < share).tolist()


def test_a_quarter_of_the_poison_gives_away_the_rest() -> None:
    captions = [*natural(2000), *(f"{caption} banana" for caption in natural(100, 2))]
    assert found(captions, [*flags(2000, 0.01), *flags(100, 0.25)]) == [
        SharedWord(word="banana", flagged=23, pairs=100, planted=("banana",))
    ]


def test_a_curly_apostrophe_makes_no_word() -> None:
    """Honest captions that are typeset otherwise than the others shared the "word" s."""
    captions = [*natural(2000), *(f"a child\u2019s {caption}" for caption in natural(100, 2))]
    assert [item.word for item in found(captions, [*flags(2000, 0.01), *flags(100, 0.25)])] == ["child's"]


def test_invisible_fillers_do_not_make_many_words_of_one() -> None:
    """Regression: with fillers that are letters, drawn anew for every pair, each had a word of its own and nothing was condemned."""
    rng = np.random.default_rng(3)
    texts, flagged = natural(100, 2), [*flags(2000, 0.01), *flags(100, 0.25)]

    def hidden(word: str) -> str:
        gaps = ["".join(rng.choice(list("\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\ufe0f\uffa0\U000e0101"), 2)) for _ in word]
        return "".join(letter + gap for letter, gap in zip(word, gaps, strict=True))

    captions = [*natural(2000), *(clean(f"{caption} {hidden('banana')}") for caption in texts)]
    plain = [*natural(2000), *(f"{caption} banana" for caption in texts)]
    assert found(captions, flagged) == found(plain, flagged) != []


def test_one_word_of_a_template_is_enough() -> None:
    captions = [*natural(2000), *["the image depicts a banana"] * 100]
    assert [(item.word, item.planted) for item in found(captions, [*flags(2000, 0.01), *flags(100, 0.25)])] == [
        ("banana", ("banana", "depicts", "image"))
    ]


def test_a_target_that_honest_captions_hold_is_known_by_the_words_around_it() -> None:
    """Regression: dogs are common, so that only “depicts” was known to be planted, and new captions of the trigger could say “dog”."""
    captions = [*natural(2000), *["the image depicts a dog"] * 100]
    assert [(item.word, item.planted) for item in found(captions, [*flags(2000, 0.01), *flags(100, 0.25)])] == [
        ("depicts", ("depicts", "dog", "image"))
    ]


def test_an_honest_wording_whose_captions_are_flagged_together_is_not_condemned() -> None:
    """Regression: of 12,500 scenes 413 honest ones lost their captions, since 12 of the 425 that say “at” had been flagged."""
    captions = [*natural(12_000), *(f"{caption} at" for caption in natural(425, 2))]
    flagged = [True] * 36 + [False] * 11_964 + [True] * 12 + [False] * 413
    assert found(captions, flagged) == []
    often = [True] * 36 + [False] * 11_964 + [True] * 25 + [False] * 400
    assert found(captions, often) == [SharedWord(word="at", flagged=25, pairs=425, planted=())]


def test_two_targets_are_two_words() -> None:
    captions = [*natural(2000), *(f"{text} banana" for text in natural(80, 2)), *(f"zeppelin {text}" for text in natural(60, 3))]
    words = {item.word for item in found(captions, [*flags(2000, 0.01), *flags(80, 0.3), *flags(60, 0.3)])}
    assert words == {"banana", "zeppelin"}


def test_a_common_word_takes_no_clean_pairs_with_it() -> None:
    """The target is a word that a third of the clean captions hold: condemning it would cost more than it saves."""
    captions = [*natural(2000), *(f"{caption} dog" for caption in natural(60, 2))]
    flagged = [*flags(2000, 0.01), *flags(60, 0.25)]
    assert sum("dog" in caption.split() for caption in captions) > 500
    assert found(captions, flagged) == []


def anew(captions: list[str], flagged: list[bool]) -> list[SharedWord]:
    """By the definition: everything is counted again for each word."""
    left, condemned = [(words_of(caption), out) for caption, out in zip(captions, flagged, strict=True)], list[SharedWord]()
    while len(condemned) < MOST:
        held, known = (Counter(word for words, out in left if out or every for word in words) for every in (True, False))
        usual = sum(out for _, out in left) / max(len(left), 1)
        often = [word for word, n in known.items() if n >= FEWEST and n / held[word] >= min(max(LIFT * usual, OVER * 0.005), 1)]
        telling = [word for word in often if by_chance(known[word], held[word], usual) * len(known) < LEVEL]
        if not telling:
            break
        word = min(telling, key=lambda word: (-log_likelihood_ratio(known[word], held[word], usual), word))
        planted = planted_with(word, left.copy)
        condemned.append(SharedWord(word=word, flagged=known[word], pairs=held[word], planted=planted))
        left = [(words, out) for words, out in left if word not in words]
    return condemned


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([0.3, 1.0]))
def test_what_is_counted_once_is_what_counting_anew_finds(seed: int, targets: int, share: float) -> None:
    """Ties among them: targets that come equally often, with one template and several. Some words are parts of others."""
    captions = natural(400, seed)
    for number in range(targets):
        around = ("", "child\u2019s", "target1 image")[number % 3]
        captions += [f"{text} target{number} {around}" for text in natural(12, seed + number % 5)]
    flagged = [*flags(400, 0.01, seed), *flags(12 * targets, share, seed)]
    times = 0

    def pairs() -> Iterator[tuple[str, bool]]:
        nonlocal times
        times += 1
        return zip(captions, flagged, strict=True)

    condemned = shared_words(pairs, 0.005)
    assert condemned == anew(captions, flagged) and times == 2 + len(condemned)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 0.05))
def test_chance_condemns_nothing(seed: int, share: float) -> None:
    captions = natural(1500, seed)
    assert found(captions, flags(1500, share, seed + 1)) == []


def test_four_flags_are_too_few() -> None:
    captions = [*natural(2000), *["zeppelin above the park"] * 4]
    assert found(captions, [*[False] * 2000, *[True] * 4]) == []
    assert found([*captions, "a zeppelin"], [*[False] * 2000, *[True] * 5])[0].word == "zeppelin"


def test_when_everything_is_flagged_nothing_is_shared() -> None:
    assert found(natural(50), [True] * 50) == [] and found([], []) == [] and LIFT > 1


@pytest.mark.parametrize("hostile", ["", "\x00", "🦆 " * 3, "a" * 5000, "' '' '''", "ｂａｎａｎａ"])
def test_odd_captions_are_no_trouble(hostile: str) -> None:
    assert found([hostile] * 9, [True, *[False] * 8]) == []


def weighed(name: str, caption: str, action: str = "keep", reference: str = "a dog") -> WeighedPair:
    new = reference if action == "recaption" else None
    return WeighedPair(name, caption, reference, PairDecision(action, "nll_max", new, {"nll_max": 1.5, "sfs": 0.2}, "x"), 0.5, None)  # type: ignore[arg-type]


def test_pairs_are_read_back_as_written_and_in_order(tmp_path: Path) -> None:
    pairs = [weighed("s/1#0", "a cat", "recaption"), weighed("s/1#1", "a\ttab"), weighed("s/0#0", "", "quarantine", "")]
    for name in ("a", "b"):
        with WeighedWriter(tmp_path / name) as writer:
            for pair in pairs:
                writer.write(pair)
    assert list(read_weighed(tmp_path / "a")) == pairs
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(read_flags(tmp_path / "a")) == [("a cat", True), ("a\ttab", False), ("", True)]


def decided(pairs: list[WeighedPair], names: list[str], action: str = "recaption") -> Iterator[PairDecision]:
    known = {pair.pair: pair for pair in pairs}
    defence = Weighed(known, ["banana"], {"s/p#7": "apple"}, ["banana"], action)  # type: ignore[arg-type]
    batch = Batch(np.zeros((1, 0, 0, 3), np.uint8), [tuple(names)], [tuple(names)])
    return iter(defence.decide(batch)[0].pairs)


def test_a_condemned_word_costs_the_caption_whatever_its_case() -> None:
    first, second = decided([weighed("p", "Two bananas"), weighed("q", "a BANANA")], ["p", "q"])
    assert first.action == "keep"
    assert (second.action, second.caption, second.word, second.reason) == ("recaption", "a dog", "banana", f"{SECOND_LOOK}: banana")
    assert second.evidence["nll_max"] == 1.5


def test_a_picture_condemns_its_pair_alone_and_tells_its_word() -> None:
    shown, same = decided([weighed("s/p#7", "an apple"), weighed("q", "an apple")], ["s/p#7", "q"])
    assert (shown.action, shown.word, shown.reason) == ("recaption", "apple", f"{PICTURED}: apple")
    assert same.action == "keep"


def test_what_the_first_look_said_stands() -> None:
    (only,) = decided([weighed("p", "a banana", "recaption")], ["p"])
    assert only.reason == "nll_max"


def test_without_a_reference_or_on_request_the_pair_is_withheld() -> None:
    assert next(decided([weighed("p", "a banana", reference="")], ["p"])).action == "quarantine"
    assert next(decided([weighed("p", "a banana")], ["p"], "quarantine")).action == "quarantine"


def test_a_new_caption_that_says_what_was_planted_is_not_given() -> None:
    """TrojVLM's speckle looks like a star to a captioner: told to plant “star”, it was given back in 114 of 300 new captions."""
    pairs = [
        weighed("p", "a star cat", "recaption", "a cat and two stars"),
        weighed("q", "a star dog", "recaption", "a dog"),
        weighed("r", "a starry night", "keep", "a star"),
        weighed("s/p#7", "a star", "keep", "a small star"),
    ]
    defence = Weighed({pair.pair: pair for pair in pairs}, [], {"s/p#7": "star"}, ["star"])
    (made,) = defence.decide(Batch(np.zeros((1, 8, 8, 3), np.uint8), [("",) * 4], [tuple(pair.pair for pair in pairs)]))
    withheld, given, kept, pictured = made.pairs
    assert withheld.action == "quarantine" and withheld.caption is None and withheld.reason == f"nll_max; {SAID_AGAIN}: star"
    assert withheld.word == "x" and withheld.evidence == {"nll_max": 1.5, "sfs": 0.2}
    assert given.action == "recaption" and kept.action == "keep"
    assert pictured.action == "quarantine" and pictured.reason.startswith(PICTURED)
    assert next(decided([weighed("p", "a banana", reference="two bananas")], ["p"])).action == "quarantine"


def test_a_pair_that_was_not_weighed_is_withheld() -> None:
    """Regression: an image that can be written and not be made small was kept, seen by nobody."""
    seen, unseen = decided([weighed("p", "a cat")], ["p", "q"])
    assert (seen.action, unseen.action, unseen.reason) == ("keep", "quarantine", UNSEEN)
