"""Every figure with its interval: proportions (Wilson), means (bootstrap), and means over seeds (Student's t).

A difference between two arms is judged on pairs (`paired_difference`, of shares `share_difference`), which is far sharper than two
intervals side by side.
Not covered: multiple comparisons, and images that are not independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from srd_core.seeds import generator

Values = Sequence[float] | npt.NDArray[np.floating[Any]]

Figure = Annotated[
    float,
    BeforeValidator(lambda value: math.nan if value is None else value),
    PlainSerializer(lambda value: None if math.isnan(value) else value, return_type=float | None, when_used="json"),
]
"""A number that may be unknown: NaN in Python, null in JSON."""

_CHUNK = 4_000_000  # numbers drawn at once: bounds memory to about 64 MB


class Interval(BaseModel):
    """A figure and the interval it lies in, from `n` observations. NaN where `n` is too small to say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Figure
    low: Figure
    high: Figure
    n: int = Field(ge=0)


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A proportion with its Wilson score interval, in [0, 1]. With n = 0 the value is NaN and the interval all of [0, 1]."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    return wilson_of(successes / n if n else math.nan, n, level)


def wilson_of(share: float, n: int, level: float = 0.95) -> Interval:
    """Likewise of any figure between 0 and 1 that varies like a proportion of `n`; NaN with [0, 1] where it is not known or n = 0."""
    if n == 0 or math.isnan(share):
        return Interval(value=math.nan, low=0.0, high=1.0, n=0)
    z, p = NormalDist().inv_cdf(0.5 + level / 2), share
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Interval(value=p, low=max(0.0, min(centre - half, p)), high=min(1.0, max(centre + half, p)), n=n)


def bootstrap_mean(values: Values, seed: int, resamples: int = 2000, level: float = 0.95) -> Interval:
    """The mean of `values`, shape (N,), with its percentile bootstrap interval, widened to hold the mean. All NaN when N = 0."""
    data = np.asarray(values, dtype=np.float64)
    n = len(data)
    if n == 0:
        return Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
    rng = generator(seed, "bootstrap")
    step = max(1, _CHUNK // n)
    means = [data[rng.integers(0, n, size=(min(step, resamples - done), n))].mean(axis=1) for done in range(0, resamples, step)]
    low, high = np.quantile(np.concatenate(means), [0.5 - level / 2, 0.5 + level / 2])
    mean = float(data.mean())
    return Interval(value=mean, low=min(float(low), mean), high=max(float(high), mean), n=n)


def bootstrap_cider(per_image: Values, seed: int, resamples: int = 2000, level: float = 0.95) -> Interval:
    """Corpus CIDEr from `captioning.cider_per_image`, images resampled; word weights stay those of the whole set."""
    return bootstrap_mean(per_image, seed, resamples, level)


def paired_difference(a: Values, b: Values, seed: int, resamples: int = 2000, level: float = 0.95) -> Interval:
    """Mean of a - b over the same images (or seeds), pairs resampled. The arms differ when the interval leaves 0 out."""
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} values against {len(second)}: pairs need the same items in the same order")
    return bootstrap_mean(first - second, seed, resamples, level)


def independent_difference(a: Interval, b: Interval) -> Interval:
    """Share a less share b, each a `wilson` interval of items of its own (Newcombe, 1998, method 10); `n` is that of both together."""
    change = a.value - b.value
    below, above = math.hypot(a.value - a.low, b.high - b.value), math.hypot(a.high - a.value, b.value - b.low)
    return Interval(value=change, low=change - below, high=change + above, n=a.n + b.n)


def share_difference(a: Values | npt.NDArray[np.bool_], b: Values | npt.NDArray[np.bool_]) -> Interval:
    """Share of successes a less share b, each 1 or 0, over the same items: Newcombe's score interval of pairs (1998, method 10).

    Unlike a bootstrap's, it has a width where all pairs agree: 200 of 200 against 0 of 200 is not certainty. `n` is the number of pairs,
    at least one.
    """
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} values against {len(second)}: pairs need the same items in the same order")
    n, one, other = len(first), wilson(int(first.sum()), len(first)), wilson(int(second.sum()), len(second))
    together = _correlation(int((first & second).sum()), int((first & ~second).sum()), int((second & ~first).sum()), n)

    def reach(near: float, far: float) -> float:
        return math.sqrt(max(near * near - 2 * together * near * far + far * far, 0.0))

    change = one.value - other.value
    below, above = reach(one.value - one.low, other.high - other.value), reach(one.high - one.value, other.value - other.low)
    return Interval(value=change, low=change - below, high=change + above, n=n)


def _correlation(both: int, first: int, second: int, n: int) -> float:
    """Of the successes of two arms on the same `n` items, with Newcombe's correction for continuity; 0 where an arm is always the same."""
    neither = n - both - first - second
    spread = (both + first) * (second + neither) * (both + second) * (first + neither)
    agreed = both * neither - first * second
    return (max(agreed - n / 2, 0.0) if agreed > 0 else agreed) / math.sqrt(spread) if spread else 0.0


def across_seeds(values: Values, level: float = 0.95) -> Interval:
    """Mean over seeds with Student's t interval. One seed has a value and no interval (NaN)."""
    from scipy.special import stdtrit

    data = np.asarray(values, dtype=np.float64)
    n = len(data)
    mean = float(data.mean()) if n else math.nan
    if n < 2:
        return Interval(value=mean, low=math.nan, high=math.nan, n=n)
    half = float(stdtrit(n - 1, 0.5 + level / 2)) * float(data.std(ddof=1)) / math.sqrt(n)
    return Interval(value=mean, low=mean - half, high=mean + half, n=n)
