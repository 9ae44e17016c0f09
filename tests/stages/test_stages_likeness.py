"""Whether a suspect set is called unlike the trusted one: seldom when it is like it, whichever way its captions are packed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from srd_core.data.decisions import Decision
from srd_core.defences.calibration import Calibration
from srd_core.scoring.distance import independent, percentiles, together
from srd_core.stages.likeness import likeness

ALIKE = 0.24
"""The correlation within an image that the scenes have."""


def surprise(rng: np.random.Generator, images: int, captions: int, shift: float = 0.0) -> np.ndarray:
    """Scores (images, captions), those of one image with a correlation of ALIKE."""
    return shift + rng.normal(0, ALIKE**0.5, (images, 1)) + rng.normal(0, (1 - ALIKE) ** 0.5, (images, captions))


def trusted(scores: np.ndarray) -> Calibration:
    sizes = [scores.shape[1]] * len(scores)
    alike = together(scores.ravel(), sizes)
    known = {"clean": {"nll_mean": percentiles(scores)}, "together": alike, "independent": independent(sizes, alike)}
    return Calibration(thresholds={}, scales={}, budget={}, pairs=scores.size, clean_flagged=0.0, recall={}, **known)


def packed(scores: np.ndarray, by_pair: bool) -> list[Decision]:
    """A decision for each score: an image's captions in one sample, or, in whatever order, each in a sample of its own."""
    rows = []
    for (image, caption), score in np.ndenumerate(scores):
        key, pair = (f"{image}-{caption}", "caption") if by_pair else (f"{image}", f"caption.{caption}")
        told = hashlib.sha256(str(image).encode()).hexdigest()
        rows.append(Decision("s.tar", key, pair, "keep", "", score_nll_mean=float(score), image_sha256_before=told))
    return sorted(rows, key=lambda row: hashlib.sha256(row.key.encode()).digest()) if by_pair else rows


@pytest.mark.parametrize("by_pair", [False, True])
def test_a_set_like_the_trusted_one_is_seldom_called_unlike(by_pair: bool) -> None:
    rng = np.random.default_rng(0)
    drawn = [(surprise(rng, 600, 5), surprise(rng, 180, 5)) for _ in range(100)]
    assert sum(likeness(packed(own, by_pair), trusted(known))[1] for own, known in drawn) <= 3


@pytest.mark.parametrize("by_pair", [False, True])
def test_a_set_a_third_of_a_deviation_away_is_called_unlike(by_pair: bool) -> None:
    """Regression: with one caption a sample captions counted as images, and paintings, flagged three times too often, passed for like."""
    rng = np.random.default_rng(1)
    drawn = [(surprise(rng, 600, 5, shift=0.35), surprise(rng, 180, 5)) for _ in range(50)]
    assert sum(likeness(packed(own, by_pair), trusted(known))[1] for own, known in drawn) >= 48


def test_packing_makes_no_difference() -> None:
    rng = np.random.default_rng(2)
    own, known = surprise(rng, 60, 5), trusted(surprise(rng, 60, 5))
    assert likeness(packed(own, True), known) == likeness(packed(own, False), known)


def test_pairs_that_were_not_left_alone_do_not_count() -> None:
    rng = np.random.default_rng(3)
    near, known = surprise(rng, 200, 5), trusted(surprise(rng, 200, 5))
    rows = packed(near, False)
    flagged = [replace(row, action="recaption", score_nll_mean=99.0) for row in islice(rows, 300)]
    assert likeness([*rows, *flagged], known) == likeness(rows, known)


def test_nothing_looked_at_is_neither_like_nor_unlike() -> None:
    known = trusted(surprise(np.random.default_rng(4), 20, 5))
    assert likeness([], known) == (None, False)
    assert likeness([Decision("s.tar", "0", "caption", "keep", "")], known) == (None, False)
