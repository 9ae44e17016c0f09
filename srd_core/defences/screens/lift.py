"""Lift: how much more often something is found in the suspect set than in the trusted one. For `rare`, `templates` and `windows`.

How high it rises by nature is told by the trusted set alone: each half of it is held against the other. Smaller sets make wilder lifts, so
a threshold found that way errs on the side of leaving pairs alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.base import Scores, Screened, Screening, threshold
from srd_core.seeds import generator

FEWEST = 10
"""Images of the suspect set that must hold a thing, and no fewer than `FEWEST_OF_HALF` of half of the trusted set."""
FEWEST_OF_HALF = 3

Codes = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Held:
    """Which of `count` owners hold which things: (K,) `owners`, numbers from 0, and (K,) `codes` of things, each pair of them once."""

    owners: Numbers
    codes: Codes
    count: int

    def of(self, chosen: npt.NDArray[np.bool_]) -> Held:
        """Those of the chosen owners, who are numbered anew."""
        kept = chosen[self.owners]
        return Held((np.cumsum(chosen) - 1)[self.owners[kept]], self.codes[kept], int(chosen.sum()))

    def by(self, groups: Numbers, count: int) -> Held:
        """What the groups hold, `groups` (N,) of the owners."""
        order = np.lexsort((self.codes, groups[self.owners]))
        owners, codes = groups[self.owners[order]], self.codes[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = (owners[1:] != owners[:-1]) | (codes[1:] != codes[:-1])
        return Held(owners[first], codes[first], count)


@dataclass(frozen=True)
class Lifts:
    """(C,) `values` of the things with these `codes`, which ascend; others have none."""

    codes: Codes
    values: Scores

    def largest(self, held: Held) -> tuple[Scores, Numbers]:
        """(N,) the largest lift of what each owner holds, 0 where it holds nothing, and (N,) its place in `held.codes`, or -1."""
        each, best, at = _looked_up(self.codes, self.values, held.codes), np.zeros(held.count), np.full(held.count, -1)
        order = np.argsort(each, kind="stable")
        best[held.owners[order]], at[held.owners[order]] = each[order], order  # the last of an owner, its largest, stays
        return best, np.where(best > 0, at, -1)


def lifts(suspect: Held, trusted: Held, fewest: int = FEWEST) -> Lifts:
    """The share of suspect images that hold a thing, over that of trusted ones, with one image added to these that holds everything.

    What fewer than `fewest` suspect images hold has a lift of 0.
    """
    codes, found = np.unique(suspect.codes, return_counts=True)
    known = _looked_up(*np.unique(trusted.codes, return_counts=True), codes)
    return Lifts(codes, np.where(found >= fewest, found * (trusted.count + 1) / (max(suspect.count, 1) * (known + 1.0)), 0.0))


def natural_lifts(trusted: Held, asked: Held, image_of: Numbers, seed: int) -> Scores:
    """(N,) the largest lift of what each asked owner holds, over the half of the trusted images that its own is not in.

    Args:
        trusted: by image.
        asked: by whatever has a score, such as the pairs of these images.
        image_of: (N,) the image of each asked owner.
        seed: halves the images.
    """
    half, best = generator(seed, "halves").permutation(trusted.count) % 2 == 0, np.zeros(asked.count)
    for side in (half, ~half):
        scores, _ = lifts(trusted.of(side), trusted.of(~side), FEWEST_OF_HALF).largest(asked)
        best[side[image_of]] = scores[side[image_of]]
    return best


def over_captions(work: Screening, parts: Callable[[str], Iterable[str]]) -> Screened:
    """Condemned by what of their caption's `parts` is too frequent; scores are the largest lift of them, words the part that has it.

    Images are counted, not captions: those of one image share what they say. Silent where so few trusted captions have a lift that the
    threshold would be 0: then whatever is frequent would be condemned.
    """
    numbers: dict[str, int] = {}
    pairs, known = work.suspect, work.trusted
    own, theirs = _held(pairs, parts, numbers), _held(known, parts, numbers)
    trusted = theirs.by(known.image_of, len(known.images))
    scores, at = lifts(own.by(pairs.image_of, len(pairs.images)), trusted).largest(own)
    limit = threshold(natural_lifts(trusted, theirs, known.image_of, work.seed), work.false_positives)
    if limit == 0:
        few = f"next to nothing that trusted captions say is said of {FEWEST_OF_HALF} images in half of the {trusted.count}"
        return Screened(scores, np.zeros(len(pairs), np.bool_), ("",) * len(pairs), silent=few)
    condemned = scores > limit
    names = list(numbers)
    words = [names[own.codes[place]] if out else "" for place, out in zip(at.tolist(), condemned.tolist(), strict=True)]
    return Screened(scores, condemned, tuple(words))


def _held(pairs: CanvasSet, parts: Callable[[str], Iterable[str]], numbers: dict[str, int]) -> Held:
    """The parts of every caption; new ones get the next number. 16 bytes for each part of a caption."""
    owners, codes = array("q"), array("q")
    for owner, caption in enumerate(pairs.captions):
        for part in sorted(set(parts(caption))):
            owners.append(owner)
            codes.append(numbers.setdefault(part, len(numbers)))
    return Held(np.asarray(owners, np.int64), np.asarray(codes, np.int64), len(pairs))


def _looked_up(codes: Codes, values: npt.NDArray[Any], asked: Codes) -> Scores:
    """The value of each asked code; 0 where it is not among the codes, which ascend."""
    if not len(codes):
        return np.zeros(len(asked))
    at = np.minimum(np.searchsorted(codes, asked), len(codes) - 1)
    return np.asarray(np.where(codes[at] == asked, values[at], 0), np.float64)
