"""Residual scan, without a model: do the images whose captions share a word differ from all others in one and the same way?

A trigger that is always the same leaves its picture in the difference of the two means. The difference is whitened, so that what is faint
in photographs, such as the edges of a patch, counts for as much as what is strong there, and is taken in two halves of the images: only
what both halves show counts. Words whose pictures are far stronger than any trusted word's, as a whole or in their strongest frequency (a
wave over the frame has no other), are condemned, one after the other, each with its images set aside; withheld are those of their pairs
whose images show the word's picture.

Blind to triggers that move or are drawn anew, to warps, and to targets that most images' captions hold.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet
from srd_core.defences.consensus import words_of
from srd_core.defences.planted_words import planted_with
from srd_core.defences.screens.base import Scores, Screened, Screening, above, screen
from srd_core.seeds import generator

FEWEST = 10
"""Images with a word."""
KNOWN = 20
"""Trusted words of which so many images are needed: with fewer, nothing is known of what words have in common by nature."""
LIFT = 4.0
"""How many times stronger than the strongest trusted word."""
LEAST = 6.0
"""Standard deviations above what chance leaves in both halves."""
LEAST_TONE = 15.0
"""Likewise of the strongest frequency of all, which by chance reaches about 5."""
OTHERS = 0.05
"""Share of a condemned word's honest pairs that may be condemned with it."""
MOST = 10
"""Words that are condemned at most."""

_LEAST_LIMIT = 1e-6
"""Of trusted images without any trace, such as blank ones."""
_AROUND = 5
"""Frequencies, a side of the square of neighbours."""
_BATCH = 64
_WORDS_AT_ONCE = 256
_COLOURS = np.asarray([[0.5774, 0.5774, 0.5774], [0.7071, -0.7071, 0.0], [-0.4082, -0.4082, 0.8165]], np.float32)
"""Brightness, red against green, blue against yellow: rows of length 1, at right angles."""

_Reals = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.int64]


@screen("residual")
def residual(work: Screening) -> Screened:
    """Scores say how clearly an image shows the picture of a condemned word that its caption holds, in standard deviations; else 0."""
    pairs = work.suspect
    scores, condemned, words = np.zeros(len(pairs)), np.zeros(len(pairs), np.bool_), np.full(len(pairs), "", object)
    planted: set[str] = set()
    trusted = Scan(work.trusted, work.seed)
    natural = [(trace.strength, trace.tone) for trace in trusted.traces()]
    if len(natural) < KNOWN:
        return Screened(scores, condemned, silent=f"{len(natural)} trusted words have {FEWEST} images or more, and {KNOWN} are needed")
    limits = np.maximum(LIFT * np.max(natural, axis=0), _LEAST_LIMIT)
    scan = Scan(pairs, work.seed, trusted)
    for _ in range(MOST):
        found = max((trace.beyond(*limits) for trace in scan.traces()), key=lambda trace: trace.excess, default=None)
        if found is None or found.excess <= 1:
            break
        holds = np.asarray([found.word in words_of(caption) for caption in pairs.captions])
        seen = scan.agreement(found)[pairs.image_of]
        guilty = holds & above(seen, seen[~holds], OTHERS)
        words[guilty & ~condemned] = found.word
        scores[holds], condemned = np.maximum(scores[holds], seen[holds]), condemned | guilty
        planted.update(planted_with(found.word, partial(_judged, pairs, guilty)))
        scan = scan.without(pairs.image_of[holds])
    return Screened(scores, condemned, tuple(words.tolist()), tuple(sorted(planted)))


@dataclass(frozen=True)
class Trace:
    """What the images of a word have in common.

    Args:
        word: of captions.
        pictures: (2, S, S, 3) complex, the whitened difference of means of each half.
        strength: mean product of the two; its expectation does not depend on the number of images, and is 0 without a trace.
        worth: (S, S, 3), by what a product is multiplied to have a standard deviation of about 0.7 where there is no trace.
        excess: how many times stronger than it may be, as `beyond` found it.
    """

    word: str
    pictures: npt.NDArray[np.complex64]
    strength: float
    worth: _Reals
    excess: float = 0.0

    @cached_property
    def products(self) -> _Reals:
        """(S, S, 3), what both halves show of each frequency."""
        return np.asarray(np.real(self.pictures[0] * np.conj(self.pictures[1])), np.float32)

    @property
    def deviations(self) -> float:
        """`strength` in units of what chance makes of it."""
        return float((self.products * self.worth).mean() * np.sqrt(self.worth.size))

    @property
    def tone(self) -> float:
        """The largest product of one frequency, which may be chance."""
        return float(self.products.max())

    def beyond(self, strength: float, tone: float) -> Trace:
        """The same with its excess over these limits; where that is due to a tone, without all frequencies that chance may have made."""
        products = self.products
        sure = products * self.worth >= LEAST_TONE
        whole = self.strength / strength if self.deviations >= LEAST else 0.0
        single = float((products * sure).max()) / tone
        return replace(self, excess=whole) if whole >= single else replace(self, excess=single, pictures=self.pictures * sure)


class Scan:
    """Images, in two halves, and the words of their captions.

    Args:
        pairs: the set.
        seed: halves it.
        trusted: the scan of the trusted pairs, which say how strong frequencies are beside their neighbours; None for that one itself.
    """

    _noise: _Reals

    def __init__(self, pairs: CanvasSet, seed: int, trusted: Scan | None = None) -> None:
        self._usual = trusted._noise if trusted else None
        self._pairs, self._images = pairs, np.arange(len(pairs.images))
        self._half = generator(seed, "residual").permutation(len(pairs.images)) % 2
        self._names, self._held = _held(pairs)
        self._shape = (pairs.side, pairs.side, 3)
        self._learn()

    def without(self, images: _Numbers) -> Scan:
        """The same less these images, looked at as if they had never been there."""
        rest = copy(self)
        rest._images = np.setdiff1d(self._images, images)
        rest._learn()
        return rest

    def _learn(self) -> None:
        """What is usual in the images: three passes."""
        self._centre, self._scale = np.zeros(self._shape, np.float32), np.ones(len(self._pairs.images), np.float32)
        self._centre, self._noise, self._doubt = self._statistics()
        self._scale = self._evened_out()
        _, self._noise, self._doubt = self._statistics()

    def traces(self) -> Iterator[Trace]:
        """The trace of every word that enough of the images' captions hold, half at most. One pass over the images for 256 words."""
        counts = np.bincount(self._held[np.isin(self._held[:, 0], self._images), 1], minlength=len(self._names))
        asked = np.flatnonzero((counts >= FEWEST) & (counts <= len(self._images) // 2))
        for start in range(0, len(asked), _WORDS_AT_ONCE):
            yield from self._traces_of(asked[start : start + _WORDS_AT_ONCE])

    def agreement(self, trace: Trace) -> Scores:
        """(M,) the cosine between every image of the set and the picture that the other half made, in standard deviations over all."""
        parts = []
        for rows, white in self._whitened():
            shown = np.real(white * np.conj(trace.pictures[1 - self._half[rows]])).mean(axis=(1, 2, 3))
            parts.append(shown / np.sqrt((np.abs(white) ** 2).mean(axis=(1, 2, 3)) + 1e-12))
        found = np.concatenate(parts)
        return np.asarray((found - found.mean()) / max(float(found.std()), 1e-12), np.float64)

    def _traces_of(self, asked: _Numbers) -> Iterator[Trace]:
        sums, counts = self._sums(asked)
        for column, number in enumerate(asked.tolist()):
            ours, others = counts[:, column], counts[:, -1] - counts[:, column]
            if min(*ours, *others) < FEWEST // 4:
                continue
            means = sums[:, column] / ours[:, None] - (sums[:, -1] - sums[:, column]) / others[:, None]
            pictures = np.asarray(np.fft.fft2(means.reshape(2, *self._shape), axes=(1, 2)) / self._noise, np.complex64)
            strength = float(np.real(pictures[0] * np.conj(pictures[1])).mean())
            worth = float(np.sqrt((ours * others / counts[:, -1]).prod()))  # the noise of a difference, squared, is 1 over a half's worth
            yield Trace(self._names[number], pictures, strength, worth * self._doubt)

    def _sums(self, asked: _Numbers) -> tuple[_Reals, npt.NDArray[np.float64]]:
        """By half and word, (2, words + 1, …): the sum of the images, and their number. The last column is of all images."""
        sums, counts = np.zeros((2, len(asked) + 1, self._noise.size), np.float32), np.zeros((2, len(asked) + 1))
        for rows, planes in self._batches(self._images):
            holds = np.concatenate([self._holds(rows, asked), np.ones((len(rows), 1), np.float32)], axis=1)
            for side in (0, 1):
                mine = self._half[rows] == side
                sums[side] += holds[mine].T @ planes[mine].reshape(-1, self._noise.size)
                counts[side] += holds[mine].sum(axis=0)
        return sums, counts

    def _holds(self, rows: _Numbers, asked: _Numbers) -> _Reals:
        """(images, words) 1 where a caption of the image holds the word; both in ascending order."""
        first, last = np.searchsorted(self._held[:, 0], (rows[0], rows[-1] + 1))
        image, word = self._held[first:last].T
        known = np.isin(image, rows) & np.isin(word, asked)
        found = np.zeros((len(rows), len(asked)), np.float32)
        found[np.searchsorted(rows, image[known]), np.searchsorted(asked, word[known])] = 1
        return found

    def _evened_out(self) -> _Reals:
        """(M,) by what each image is multiplied, so that busy ones do not speak louder: a few of them may share a rare word."""
        loud = [np.sqrt((np.abs(white) ** 2).mean(axis=(1, 2, 3))) for _, white in self._whitened()]
        return np.asarray(1 / np.maximum(np.concatenate([*loud, np.zeros(0)]), 1e-3), np.float32)

    def _whitened(self) -> Iterator[tuple[_Numbers, npt.NDArray[np.complex64]]]:
        """Numbers of all images of the set, and their whitened spectra."""
        for rows, planes in self._batches(np.arange(len(self._pairs.images))):
            yield rows, np.asarray(np.fft.fft2(planes, axes=(1, 2)) / self._noise, np.complex64)

    def _statistics(self) -> tuple[_Reals, _Reals, _Reals]:
        """(S, S, 3) each: mean over the images, of pixels; the noise of frequencies; its square as a share of their variance.

        The noise is the standard deviation, but where one frequency is stronger beside its neighbours than it is in the trusted images it
        is taken for no stronger than they make it: a wave that many images have would hide behind itself.
        """
        from scipy.ndimage import median_filter

        count, power, total = max(len(self._images), 1), np.zeros(self._shape), np.zeros(self._shape)
        for _, planes in self._batches(self._images):
            power, total = power + (np.abs(np.fft.fft2(planes, axes=(1, 2))) ** 2).sum(axis=0), total + planes.sum(axis=0)
        squares = power / count - np.abs(np.fft.fft2(total / count, axes=(0, 1))) ** 2
        spread = np.sqrt(np.maximum(squares, max(1e-6 * float(squares.max()), 1e-12)))
        ratio = spread / (spread if self._usual is None else self._usual)
        doubt = np.minimum(median_filter(ratio, (_AROUND, _AROUND, 1), mode="wrap") / ratio, 1)
        return np.asarray(total / count, np.float32), np.asarray(spread * doubt, np.float32), np.asarray(doubt**2, np.float32)

    def _batches(self, images: _Numbers) -> Iterator[tuple[_Numbers, _Reals]]:
        """Numbers of images, ascending, and their planes (B, S, S, 3), mean taken off and evened out."""
        for start in range(0, len(images), _BATCH):
            rows = images[start : start + _BATCH]
            planes = (self._pairs.images[rows].astype(np.float32) - 128) @ _COLOURS.T
            yield rows, np.asarray((planes - self._centre) * self._scale[rows, None, None, None], np.float32)


def _judged(pairs: CanvasSet, guilty: npt.NDArray[np.bool_]) -> Iterator[tuple[set[str], bool]]:
    """The words of every pair, and whether it is guilty."""
    return zip(map(words_of, pairs.captions), guilty.tolist(), strict=True)


def _held(pairs: CanvasSet) -> tuple[Sequence[str], _Numbers]:
    """The words, and (K, 2) which image's captions hold which word, each once, ascending."""
    numbers: dict[str, int] = {}
    held, lengths = array("i"), array("i")
    for caption in pairs.captions:
        words = sorted(words_of(caption))
        held.extend(numbers.setdefault(word, len(numbers)) for word in words)
        lengths.append(len(words))
    keys = np.repeat(pairs.image_of.astype(np.int64) * len(numbers), lengths)
    keys += np.asarray(held)
    keys = np.unique(keys)
    found = np.empty((len(keys), 2), np.int64)
    np.divmod(keys, max(len(numbers), 1), out=(found[:, 0], found[:, 1]))
    return list(numbers), found
