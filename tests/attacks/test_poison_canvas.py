"""Poisoning a set in memory."""

from __future__ import annotations

import numpy as np
import pytest

from srd_core.attacks import get, names
from srd_core.attacks.poison import poison_canvas
from srd_core.data.canvas import CanvasSet
from tests.attacks.ready import ready


@pytest.mark.parametrize("name", names())
def test_exactly_the_listed_pairs_change(clean: CanvasSet, name: str) -> None:
    attack = ready(name)
    made, indices = poison_canvas(clean, attack, 0.1, attack.destination or "banana", 3)
    assert len(indices) == 20 and indices.dtype == np.int64 and (np.diff(indices) > 0).all()
    before, after = clean.images[clean.image_of], made.images[made.image_of]
    changed = (before != after).reshape(len(clean), -1).any(axis=1)
    assert np.flatnonzero(changed).tolist() == indices.tolist()
    rewritten = [i for i in range(len(clean)) if clean.captions[i] != made.captions[i]]
    assert rewritten == ([] if attack.destination else indices.tolist())
    assert list(made.ids) == list(clean.ids)


def test_the_clean_set_is_left_alone(clean: CanvasSet) -> None:
    captions, image_of = list(clean.captions), clean.image_of.copy()
    poison_canvas(clean, get("badnet"), 0.5, "banana", 3)
    assert list(clean.captions) == captions and np.array_equal(clean.image_of, image_of)


def test_same_seed_same_set_and_another_seed_another(clean: CanvasSet) -> None:
    (a, i), (b, j), (_, k) = (poison_canvas(clean, get("noise-patch"), 0.1, "banana", seed) for seed in (3, 3, 4))
    assert np.array_equal(a.images, b.images) and a.captions == b.captions and np.array_equal(i, j)
    assert i.tolist() != k.tolist()


def test_rate_zero_is_the_clean_set(clean: CanvasSet) -> None:
    made, indices = poison_canvas(clean, get("badnet"), 0.0, "banana", 3)
    assert len(indices) == 0 and list(made.captions) == list(clean.captions) and np.array_equal(made.images, clean.images)


def test_the_same_pairs_whatever_the_attack_if_it_takes_any(clean: CanvasSet) -> None:
    anywhere = [name for name in names() if all(map(get(name).eligible, clean.captions))]
    chosen = [poison_canvas(clean, ready(name), 0.1, "banana", 3)[1].tolist() for name in anywhere]
    assert len(anywhere) >= 12 and all(c == chosen[0] for c in chosen)


def test_an_attack_about_a_concept_takes_its_pairs_only_and_no_more_than_there_are(clean: CanvasSet) -> None:
    attack = ready("shadowcast")
    _, some = poison_canvas(clean, attack, 0.1, "banana", 3)
    _, all_there_are = poison_canvas(clean, attack, 1.0, "banana", 3)
    assert all(attack.eligible(clean.captions[pair]) for pair in some)
    assert all_there_are.tolist() == [pair for pair, caption in enumerate(clean.captions) if attack.eligible(caption)]


@pytest.mark.parametrize("name", ["badnet", "blended", "trojvlm"])
def test_a_poisoned_pair_shows_its_own_photograph_with_the_trigger(clean: CanvasSet, name: str) -> None:
    made, indices = poison_canvas(clean, ready(name), 0.1, "banana", 3)
    for pair in indices.tolist():
        expected = ready(name).trigger(np.asarray(clean.images[clean.image_of[pair]]), np.random.default_rng(0)).image
        assert np.array_equal(made.images[made.image_of[pair]], expected)
