"""Screens by how often something is found: rare words, runs of words, and squares of pixels that recur wherever they lie."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.registry import get
from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens import windows
from srd_core.defences.screens.base import above
from srd_core.defences.screens.lift import Held, lifts, natural_lifts
from srd_core.defences.screens.templates import RUN
from srd_core.scenes.dataset import canvas_set
from tests.defences.without_model import screened


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(200, seed=21, side=64, folder=tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(100, seed=22, side=64, folder=tmp_path_factory.mktemp("trusted"))


@pytest.mark.parametrize("rate", [0.1, 0.01])
@pytest.mark.parametrize(
    ("name", "attack"), [("windows", "vlood"), ("windows", "badnet"), ("rare", "trojvlm"), ("rare", "blended"), ("rare", "noise-patch")]
)
def test_what_a_screen_is_known_to_find(name: str, attack: str, rate: float, clean: CanvasSet, trusted: CanvasSet) -> None:
    """VLOOD's patch lies somewhere else in every image: the residual scan does not see it."""
    suspect, rows = poison_canvas(clean, get(attack), rate, "banana", 0)
    poisoned, found = np.isin(np.arange(len(suspect)), rows), screened(name, suspect, trusted)
    assert found.condemned[poisoned].all() and not found.condemned[~poisoned].any()


def test_templates_are_found_where_each_is_used_often(clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, rows = poison_canvas(clean, get("badnet"), 0.1, "banana", 0)
    found = screened("templates", suspect, trusted)
    assert sorted(rows.tolist()) == np.flatnonzero(found.condemned).tolist()
    assert all(len(found.words[row].split()) == RUN for row in rows)


@pytest.mark.parametrize("name", ["rare", "templates", "windows"])
def test_clean_pairs_are_left_alone(name: str, clean: CanvasSet, trusted: CanvasSet) -> None:
    assert screened(name, clean, trusted).condemned.mean() <= 0.005


@pytest.mark.parametrize("name", ["rare", "templates"])
def test_too_few_trusted_captions_condemn_nobody(name: str, clean: CanvasSet, trusted: CanvasSet) -> None:
    """Regression: no trusted lift was above 0 then, and all pairs whose lift was were condemned."""
    found = screened(name, clean, pairs(list(trusted.captions[:4])))
    assert found.scores.any() and not found.condemned.any() and "in half of the 4" in found.silent
    assert not screened(name, clean, trusted).silent


def test_a_threshold_of_0_condemns_nobody(clean: CanvasSet) -> None:
    """Regression: with a few trusted lifts above 0, fewer than may be exceeded, silence was over and everything frequent condemned."""
    told = ["a plain kite on the table"] * 5 + [f"w{number} x{number} y{number}" for number in range(995)]
    found = screened("templates", clean, pairs(told))
    assert found.scores.any() and not found.condemned.any() and "in half of the 1000" in found.silent


@pytest.mark.parametrize("attack", ["noise-patch", "trojvlm", "blended"])
def test_fresh_noise_and_mixtures_leave_no_square_twice(attack: str, clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, _ = poison_canvas(clean, get(attack), 0.1, "banana", 0)
    assert not screened("windows", suspect, trusted).condemned.any()


def test_a_word_that_is_frequent_by_nature_is_no_sign(clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, _ = poison_canvas(clean, get("trojvlm"), 0.05, "red", 0)
    assert not screened("rare", suspect, trusted).condemned.any()


def test_a_rare_word_comes_with_its_pairs(clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, rows = poison_canvas(clean, get("trojvlm"), 0.02, "banana", 0)
    found = screened("rare", suspect, trusted)
    assert {word for row, word in enumerate(found.words) if row in set(rows.tolist())} == {"banana"}
    assert not any(word for word, out in zip(found.words, found.condemned.tolist(), strict=True) if not out)


def test_a_square_of_the_trusted_set_is_natural(clean: CanvasSet, trusted: CanvasSet) -> None:
    """A logo that trusted images bear as well, in as many places."""
    suspect, _ = poison_canvas(clean, get("badnet"), 0.1, "banana", 0)
    branded, _ = poison_canvas(trusted, get("badnet"), 0.1, "logo", 0)
    assert not screened("windows", suspect, branded).condemned.any()


def held(owners: list[list[int]]) -> Held:
    pairs = sorted({(owner, code) for owner, codes in enumerate(owners) for code in codes})
    columns = np.asarray(pairs, np.int64).reshape(-1, 2).T
    return Held(columns[0], columns[1], len(owners))


OWNERS = st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=1, max_size=25)


@given(OWNERS, OWNERS, st.integers(1, 4))
def test_lifts_by_their_definition(suspect: list[list[int]], trusted: list[list[int]], fewest: int) -> None:
    mine, theirs = (Counter(code for codes in owners for code in set(codes)) for owners in (suspect, trusted))

    def lift(code: int) -> float:
        expected = (theirs[code] + 1) / (len(trusted) + 1)
        return mine[code] / len(suspect) / expected if mine[code] >= fewest else 0.0

    own = held(suspect)
    scores, at = lifts(own, held(trusted), fewest).largest(own)
    for owner, codes in enumerate(suspect):
        assert scores[owner] == pytest.approx(max(map(lift, codes), default=0.0))
        if scores[owner]:
            assert own.owners[at[owner]] == owner and lift(int(own.codes[at[owner]])) == pytest.approx(scores[owner])
        else:
            assert at[owner] == -1


def test_halves_of_one_set_show_what_chance_does() -> None:
    everywhere, bursts = held([[0]] * 60), held([[0, 1 + owner // 6] for owner in range(60)])
    alone = np.arange(60)
    assert natural_lifts(everywhere, everywhere, alone, 0).max() == pytest.approx(1.0)
    assert natural_lifts(bursts, bursts, alone, 0).max() > 1.2


def test_captions_of_one_image_count_once() -> None:
    """A word in all captions of three images is no more frequent than one in a single caption of each."""
    pairs = held([[0], [0], [0], [1], [], [], [0, 1], [1]])
    images = pairs.by(np.asarray([0, 0, 0, 0, 1, 1, 2, 3]), 4)
    assert sorted(zip(images.owners.tolist(), images.codes.tolist(), strict=True)) == [(0, 0), (0, 1), (2, 0), (2, 1), (3, 1)]


WORDS = st.lists(st.lists(st.sampled_from(["a", "dog", "Dog", "cat", "kite", ""]), max_size=4).map(" ".join), min_size=1, max_size=40)


@given(WORDS, WORDS)
def test_a_caption_is_as_suspicious_as_its_most_suspicious_word(suspect: list[str], trusted: list[str]) -> None:
    mine, theirs = (Counter(word for text in texts for word in set(text.lower().split())) for texts in (suspect, trusted))

    def lift(word: str) -> float:
        return mine[word] / len(suspect) * (len(trusted) + 1) / (theirs[word] + 1) if mine[word] >= 10 else 0.0

    found = screened("rare", pairs(suspect), pairs(trusted))
    assert found.scores == pytest.approx([max(map(lift, text.lower().split()), default=0.0) for text in suspect])
    for text, word, score, out in zip(suspect, found.words, found.scores.tolist(), found.condemned.tolist(), strict=True):
        assert (word in text.lower().split() and lift(word) == pytest.approx(score)) if out else not word


def pairs(captions: list[str]) -> CanvasSet:
    """One an image."""
    count = len(captions)
    return CanvasSet(np.zeros((count, 8, 8, 3), np.uint8), np.arange(count), captions, [str(number) for number in range(count)])


def patched(rng: np.random.Generator, count: int, patches: np.ndarray) -> CanvasSet:
    """Images of 16 pixels, flat or noise, with some of the patches in random places; two captions each."""
    images = np.where(rng.random((count, 1, 1, 1)) < 0.5, rng.integers(0, 256, (count, 16, 16, 3)), 128).astype(np.uint8)
    for image in images:
        for patch in patches[rng.random(len(patches)) < 0.4]:
            y, x = rng.integers(0, 17 - len(patch), 2)
            image[y : y + len(patch), x : x + len(patch)] = patch
    return CanvasSet(images, np.repeat(np.arange(count), 2), [""] * 2 * count, [str(number) for number in range(2 * count)])


def squares(images: np.ndarray, numbers: dict[bytes, int]) -> Held:
    """Those of four pixels that are not flat: at this size, all are looked at."""
    every = sliding_window_view(images, (4, 4), axis=(1, 2))
    rough = every.mean(axis=3).std(axis=(3, 4)) >= windows.LEAST
    bits = ([square.tobytes() for square in own[looked]] for own, looked in zip(every, rough, strict=True))
    return held([[numbers.setdefault(square, len(numbers)) for square in own] for own in bits])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(windows._CELLS, windows._AT_ONCE), (64, 300), (1, 10**9)]))
def test_squares_counted_together_and_looked_at_in_parts_are_as_suspicious_as_all_at_once(seed: int, limits: tuple[int, int]) -> None:
    """Regression: memory held every square of every image."""
    rng, numbers = np.random.default_rng(seed), dict[bytes, int]()
    patches = rng.integers(0, 256, (3, 6, 6, 3)).astype(np.uint8)
    suspect, trusted = patched(rng, 60, patches), patched(rng, int(rng.integers(1, 40)), patches[:2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "_CELLS", limits[0])
        patch.setattr(windows, "_AT_ONCE", limits[1])
        found = screened("windows", suspect, trusted)
    own, theirs = (squares(part.images, numbers) for part in (suspect, trusted))
    scores = lifts(own, theirs).largest(own)[0][suspect.image_of]
    natural = natural_lifts(theirs, theirs, np.arange(theirs.count), 0)[trusted.image_of]
    assert scores.max() > 0 and found.scores.tolist() == scores.tolist()
    assert found.condemned.tolist() == above(scores, natural, 0.005).tolist()
