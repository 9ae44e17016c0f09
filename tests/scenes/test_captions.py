"""Captions are true of the scene they tell, varied, and free of target words."""

from __future__ import annotations

import re

import pytest

from srd_core.scenes import SceneSample, generate
from srd_core.scenes.captions import _GROUNDS
from srd_core.scenes.world import COLOURS, SHAPES, relation

_NAME = rf"(?:a|one|only a) (?:(small|little|big|large) )?({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
_PAIR = re.compile(rf"{_NAME} (?:is |sits )?(to the left of|left of|to the right of|right of|above|over|below|under) {_NAME}")
_MEANING = {
    "to the left of": "left",
    "left of": "left",
    "to the right of": "right",
    "right of": "right",
    "above": "above",
    "over": "above",
    "below": "below",
    "under": "below",
}


@pytest.fixture(scope="module")
def samples() -> list[SceneSample]:
    return [s for domain in ("scenes", "sketch") for s in generate(200, seed=11, side=16, domain=domain)]


def test_five_different_captions_each(samples: list[SceneSample]) -> None:
    assert all(len(set(s.captions)) == 5 for s in samples)


def test_every_named_thing_is_in_the_scene(samples: list[SceneSample]) -> None:
    for sample in samples:
        truth = {(t.colour, t.shape) for t in sample.scene.things}
        for caption in sample.captions:
            named = {(c, s) for _, c, s in re.findall(_NAME, caption)}
            assert named and named <= truth, caption


def test_no_stray_colour_or_shape_word(samples: list[SceneSample]) -> None:
    for sample in samples:
        allowed = {w for t in sample.scene.things for w in (t.colour, t.shape)}
        words = {w for caption in sample.captions for w in caption.split()}
        assert words & (set(COLOURS) | set(SHAPES)) <= allowed


def test_sizes_are_true(samples: list[SceneSample]) -> None:
    meaning = {"small": "small", "little": "small", "big": "big", "large": "big"}
    seen = 0
    for sample in samples:
        sizes = {(t.colour, t.shape): t.size for t in sample.scene.things}
        for caption in sample.captions:
            for size, colour, shape in re.findall(_NAME, caption):
                if size:
                    seen += 1
                    assert meaning[size] == sizes[colour, shape], caption
    assert seen > 100


def test_relations_are_true(samples: list[SceneSample]) -> None:
    seen = set()
    for sample in samples:
        things = {(t.colour, t.shape): t for t in sample.scene.things}
        for caption in sample.captions:
            for _, c0, s0, words, _, c1, s1 in _PAIR.findall(caption):
                seen.add(words)
                assert relation(things[c0, s0], things[c1, s1]) == _MEANING[words], caption
    assert seen == set(_MEANING)


def test_with_on_its_side_is_true(samples: list[SceneSample]) -> None:
    pattern = re.compile(rf"{_NAME} with {_NAME} (on its left|on its right|above it|below it)")
    seen = 0
    for sample in samples:
        things = {(t.colour, t.shape): t for t in sample.scene.things}
        for caption in sample.captions:
            for _, c0, s0, _, c1, s1, side in pattern.findall(caption):
                seen += 1
                assert relation(things[c1, s1], things[c0, s0]) in side.split(), caption
    assert seen > 20


def test_background_words_belong_to_the_background(samples: list[SceneSample]) -> None:
    for sample in samples:
        others = {phrase for name, phrases in _GROUNDS.items() if name != sample.scene.background for phrase in phrases}
        assert not any(phrase in caption for caption in sample.captions for phrase in others)


def test_some_captions_leave_out_size_or_background(samples: list[SceneSample]) -> None:
    captions = [c for s in samples for c in s.captions]
    sized = sum(bool(re.search(r"\b(small|little|big|large)\b", c)) for c in captions) / len(captions)
    grounded = sum(bool(re.search(r"background|wall|floor|surface", c)) for c in captions) / len(captions)
    assert 0.25 < sized < 0.8 and 0.4 < grounded < 0.95


def test_plain_lower_case_words_of_a_small_vocabulary(samples: list[SceneSample]) -> None:
    captions = [c for s in samples for c in s.captions]
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", c) for c in captions)
    assert 75 <= len({w for c in captions for w in c.split()}) <= 150


def test_no_edible_word(samples: list[SceneSample]) -> None:
    words = {w for s in samples for c in s.captions for w in c.split()}
    assert not words & {"banana", "bananas", "orange", "apple", "lime", "peach", "plum", "cherry", "lemon", "fruit"}


def test_captions_are_short(samples: list[SceneSample]) -> None:
    assert max(len(c.split()) for s in samples for c in s.captions) <= 30
