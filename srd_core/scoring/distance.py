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


def beyond_chance(far: float, images: int, known: int) -> bool:
    """Whether two samples from one distribution lie so `far` apart in less than 1 % of cases, however alike the scores of an image are.

    `images` and `known`, at least 1 each, are the images that they are of: captions of one are surprising together.
    """
    return far > _CRITICAL * math.sqrt(1 / images + 1 / known) + _COARSE
