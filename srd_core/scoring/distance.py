"""How far one set of pairs is from another, by how their scores are distributed: the Kolmogorov-Smirnov statistic.

The size of a shift in arXiv 2406.18844, there of CLIP's image-text similarities, here of base's surprise at captions.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

PERCENTILES = np.arange(101)
_CRITICAL = 1.628
"""Of the Kolmogorov distribution at 1 %."""
_COARSE = 0.01
"""What is due to knowing percentiles only."""
_LEVELS = np.linspace(0.05, 0.95, 19)


def percentiles(scores: npt.ArrayLike) -> tuple[float, ...]:
    """The 101 percentiles of scores (N,), which stand for their distribution."""
    return tuple(float(value) for value in np.percentile(np.asarray(scores, np.float64), PERCENTILES))


def distance(scores: npt.ArrayLike, known: tuple[float, ...]) -> float:
    """Largest difference between the share of scores (N,) below any value and that of the distribution with these percentiles.

    From 0, alike, to 1, apart; to about 0.01, since percentiles are known only. NaN when either is missing.
    """
    values = np.sort(np.asarray(scores, np.float64))
    if not len(values) or not known:
        return math.nan
    at = np.unique(np.concatenate([values, known]))
    own, other = (np.searchsorted(np.sort(sample), at, side="right") / len(sample) for sample in (values, np.asarray(known)))
    return float(np.abs(own - other).max())


def together(scores: npt.ArrayLike, sizes: npt.ArrayLike) -> float:
    """How much scores (N,) of one image go together, from 0, not at all, to 1: as if an image had one score only.

    `sizes` (I,), at least 1 each, says how many of the scores, which come image by image, are of each. It is the correlation between two
    scores of an image in whether they lie below a value, averaged over the distribution, which is what a distance by shares depends on.
    1 where no image has two.
    """
    values, counts = np.asarray(scores, np.float64), np.asarray(sizes, np.int64)
    more = _scores_beside(counts)
    if not more:
        return 1.0
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    of_images = of_scores = 0.0
    for value in np.quantile(values, _LEVELS):
        below = values <= value
        share = below.mean()
        of_images += float(((np.add.reduceat(below.astype(np.float64), starts) - counts * share) ** 2).sum())
        of_scores += len(values) * float(share * (1 - share))
    return min(max((of_images / of_scores - 1) / more, 0.0), 1.0) if of_scores else 1.0


def independent(sizes: npt.ArrayLike, correlation: float) -> float:
    """How many independent scores say as much as those of images with so many each, (I,): their number over its design effect."""
    counts = np.asarray(sizes, np.int64)
    return float(counts.sum() / (1 + _scores_beside(counts) * correlation))


def _scores_beside(counts: npt.NDArray[np.int64]) -> float:
    """How many other scores of its image a score has, on average."""
    return float((counts.astype(np.float64) ** 2).sum() / counts.sum() - 1)


def beyond_chance(far: float, scores: float, known: float) -> bool:
    """Whether two samples of so many independent scores from one distribution lie so `far` apart in less than 1 % of cases."""
    return far > _CRITICAL * math.sqrt(1 / scores + 1 / known) + _COARSE
