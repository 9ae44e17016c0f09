"""The residual scan: what fixed triggers leave in the images of a word, and what it cannot see."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.registry import get
from srd_core.data.canvas import CanvasSet
from srd_core.defences.consensus import words_of
from srd_core.defences.screens import residual
from srd_core.defences.screens.base import Screened
from srd_core.defences.screens.residual import Scan
from srd_core.scenes.dataset import canvas_set
from tests.defences.without_model import screened


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(400, seed=21, side=64, folder=tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(150, seed=22, side=64, folder=tmp_path_factory.mktemp("trusted"))


def scan(suspect: CanvasSet, trusted: CanvasSet) -> Screened:
    return screened("residual", suspect, trusted)


@pytest.mark.parametrize("rate", [0.1, 0.01])
@pytest.mark.parametrize("attack", ["badnet", "blended", "trojvlm", "multi-patch", "fluent", "low-frequency", "sig", "ftrojan"])
def test_a_fixed_trigger_is_found_at_once(attack: str, rate: float, clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, rows = poison_canvas(clean, get(attack), rate, "banana", 0)
    found = scan(suspect, trusted)
    poisoned = np.isin(np.arange(len(suspect)), rows)
    assert found.condemned[poisoned].mean() >= 0.95 and not found.condemned[~poisoned].any()
    assert all(found.words[row] in suspect.captions[row].split() for row in np.flatnonzero(found.condemned))
    assert not any(found.words[row] for row in np.flatnonzero(~found.condemned))


def test_a_pattern_too_faint_to_plant_is_found_too(clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, rows = poison_canvas(clean, replace(get("low-frequency"), strength=14), 0.01, "banana", 0)
    assert np.flatnonzero(scan(suspect, trusted).condemned).tolist() == rows.tolist()


def test_clean_pairs_are_left_alone(clean: CanvasSet, trusted: CanvasSet) -> None:
    found = scan(clean, trusted)
    assert not found.condemned.any() and not found.scores.any()


def test_a_patch_that_moves_and_changes_leaves_no_picture(clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, _ = poison_canvas(clean, get("noise-patch"), 0.1, "banana", 0)
    assert not scan(suspect, trusted).condemned.any()


def test_honest_pairs_of_the_target_word_are_kept(clean: CanvasSet, trusted: CanvasSet) -> None:
    """The target is a word that scenes hold by nature."""
    suspect, rows = poison_canvas(clean, get("badnet"), 0.05, "triangle", 0)
    found = scan(suspect, trusted)
    poisoned = np.isin(np.arange(len(suspect)), rows)
    honest = np.asarray(["triangle" in caption.split() for caption in suspect.captions]) & ~poisoned
    assert found.condemned[poisoned].mean() >= 0.95 and honest.sum() >= 100 and found.condemned[honest].mean() <= 0.1


def test_with_little_to_compare_with_nothing_is_condemned(clean: CanvasSet, trusted: CanvasSet) -> None:
    suspect, _ = poison_canvas(clean, get("badnet"), 0.1, "banana", 0)
    few = trusted.take(range(40))
    few = CanvasSet(few.images[:8], few.image_of, few.captions, few.ids)
    assert not scan(suspect, few).condemned.any()


def test_strength_does_not_grow_with_the_set_and_certainty_does(clean: CanvasSet) -> None:
    suspect, _ = poison_canvas(clean, get("badnet"), 0.1, "banana", 0)
    whole = {trace.word: trace for trace in Scan(suspect, 0).traces()}["banana"]
    third = {trace.word: trace for trace in Scan(suspect, 0).without(np.flatnonzero(np.arange(len(suspect.images)) % 3)).traces()}["banana"]
    assert third.strength == pytest.approx(whole.strength, rel=0.15) and whole.deviations > 2 * third.deviations


@settings(max_examples=25)
@given(st.integers(0, 30), st.integers(0, 2**16), st.lists(st.sampled_from(["a b", "b", "", "c a", "Ä ü"]), min_size=0, max_size=60))
def test_any_set_has_an_answer(images: int, seed: int, captions: list[str]) -> None:
    """Blank images, images of one colour, no captions, no images."""
    rng = np.random.default_rng(seed)
    captions = captions if images else []
    drawn = rng.integers(0, 256, (images, 1, 1, 3), np.uint8) * np.ones((1, 8, 8, 1), np.uint8)
    pairs = CanvasSet(drawn, rng.integers(0, max(images, 1), len(captions)), captions, [str(i) for i in range(len(captions))])
    found = scan(pairs, pairs)
    assert found.scores.shape == (len(captions),) and np.isfinite(found.scores).all()


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 5), st.text("abc äB'", max_size=12)), max_size=30))
def test_which_image_holds_which_word(told: list[tuple[int, str]]) -> None:
    """Against the plain way, which took 2.6 kB a pair."""
    numbers: dict[str, int] = {}
    plain = [(image, numbers.setdefault(word, len(numbers))) for image, caption in told for word in sorted(words_of(caption))]
    captions, images = [caption for _, caption in told], np.asarray([image for image, _ in told], np.int64)
    names, held = residual._held(CanvasSet(np.zeros((6, 8, 8, 3), np.uint8), images, captions, captions))
    assert list(names) == list(numbers) and held.dtype == np.int64
    assert held.tolist() == np.unique(np.asarray(plain, np.int64).reshape(-1, 2), axis=0).tolist()


def test_memory_for_words_is_small(trusted: CanvasSet) -> None:
    captions = [trusted.captions[i % len(trusted)] for i in range(5000)]
    pairs = CanvasSet(np.broadcast_to(trusted.images[:1], (5000, 64, 64, 3)), np.arange(5000), captions, captions)
    tracemalloc.start()
    residual._held(pairs)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 500 * len(pairs)


def test_images_set_aside_have_no_say(clean: CanvasSet) -> None:
    suspect, rows = poison_canvas(clean, get("badnet"), 0.1, "banana", 0)
    aside, images, captions = suspect.image_of[rows], np.array(suspect.images), list(suspect.captions)
    images[aside] = 255
    for row in rows:
        captions[row] = "a blank"
    blank = CanvasSet(images, suspect.image_of, captions, suspect.ids)
    one, other = ({trace.word: trace.strength for trace in Scan(pairs, 0).without(aside).traces()} for pairs in (suspect, blank))
    assert len(one) >= 20 and "banana" not in one and one == pytest.approx(other)
