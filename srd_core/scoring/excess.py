"""Are more pairs flagged than false positives explain? One-sided and exact.

The false-positive budget is a quantile of m trusted pairs, so the true rate is itself uncertain: with k of them above the threshold it is
Beta(k + 1, m - k) distributed, and the number flagged among n clean pairs is beta-binomial. k is the whole budget, one pair more than lies
above a single threshold: where several channels divide the budget, the division is chosen on the same pairs, and thresholds that are low by
chance are preferred. With the true count up to 15 % of drawn clean sets passed a level of 5 %, with this one 1 to 6 %. Without m the budget
is taken as exact and the number is binomial. Not covered: a suspect set whose clean pairs differ from the trusted ones, where every such
test says too much, and captions of one image whose scores go together.
"""

from __future__ import annotations

import math

import numpy as np

_CHUNK = 1_000_000


def excess_p_value(flagged: int, pairs: int, budget: float, calibrated_on: int | None = None) -> float:
    """Probability of `flagged` or more flags among `pairs` clean pairs.

    Args:
        flagged: observed flags, 0 … pairs.
        pairs: judged pairs, at least 1.
        budget: false-positive rate that the thresholds were set for, in (0, 1).
        calibrated_on: trusted pairs that the thresholds were set on; None takes `budget` as exact.
    """
    if flagged == 0:
        return 1.0
    if calibrated_on is None:
        return by_chance(flagged, pairs, budget)
    above = math.floor(budget * calibrated_on)
    return beta_binomial_tail(flagged, pairs, above + 1, max(calibrated_on - above, 1))


def least_significant(pairs: int, budget: float, level: float, calibrated_on: int | None = None) -> int:
    """Smallest number of flags whose p-value is below `level`; `pairs + 1` when no number is."""
    low, high = 0, pairs + 1
    while low < high:
        middle = (low + high) // 2
        if excess_p_value(middle, pairs, budget, calibrated_on) < level:
            high = middle
        else:
            low = middle + 1
    return low


def log_likelihood_ratio(flagged: int, pairs: int, usual: float) -> float:
    """How much better `flagged` of `pairs` is explained by a rate of their own than by the `usual` one, (0, 1]; in nats, 0 or more."""
    if usual >= 1:
        return 0.0
    kept, rate = pairs - flagged, flagged / pairs
    return flagged * math.log(rate / usual) + (kept * math.log((1 - rate) / (1 - usual)) if kept else 0.0)


def by_chance(flagged: int, pairs: int, usual: float) -> float:
    """Probability of `flagged` or more of `pairs`, at least 1, where each is flagged as often as `usual`, 0 to 1."""
    from scipy.special import bdtrc

    return float(bdtrc(flagged - 1, pairs, usual))


def beta_binomial_tail(least: int, n: int, a: int, b: int) -> float:
    """P(X ≥ least) for X beta-binomial (n, a, b), 0 ≤ least ≤ n + 1.

    Summed is the side without the mean: one less the other would leave nothing of a small tail but noise.
    """
    if least > n * a / (a + b):
        return min(_between(least, n + 1, n, a, b), 1.0)
    return min(max(1.0 - _between(0, least, n, a, b), 0.0), 1.0)


def _between(start: int, stop: int, n: int, a: int, b: int) -> float:
    """P(start ≤ X < stop)."""
    from scipy.special import betaln, gammaln

    total = 0.0
    for first in range(start, stop, _CHUNK):
        k = np.arange(first, min(first + _CHUNK, stop), dtype=np.float64)
        choose = gammaln(n + 1.0) - gammaln(k + 1) - gammaln(n - k + 1)
        total += float(np.exp(choose + betaln(k + a, n - k + b) - betaln(a, b)).sum())
    return total
