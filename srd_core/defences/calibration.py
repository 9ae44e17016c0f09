"""Where the thresholds of evidence mode come from: trusted pairs that no model saw, and poisons that we put into copies of them.

The budget of false positives is divided among the channels so that most injected poisons are found, evenly where that changes nothing;
a channel gets nothing when its share finds more elsewhere. The true attack plays no part. A channel's threshold is an order statistic of
its clean scores: of n, the k-th largest is exceeded by the next clean one with probability k / (n + 1). Equal scores count once, because a
channel that sees only the image has one score for all its captions. A channel whose share is below 1 / (n + 1) cannot be used.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from srd_core.defences.channels.base import Scores
from srd_core.errors import SourceError
from srd_core.scoring.distance import percentiles

SURPRISE = "nll_mean"
"""The channel by whose clean scores sets are compared."""

_PARTS = 4


class Calibration(BaseModel):
    """`thresholds` and robust `scales` by channel; a pair is flagged when any score lies above its threshold.

    `clean_flagged` is the share of the clean calibration `pairs` that are flagged, `recall` that of injected poisons by kind, `clean` holds
    the percentiles of each channel's clean scores. Base's surprise at captions of one image goes `together` so much (0 to 1) that the pairs
    say as much as `independent` ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    thresholds: dict[str, float]
    scales: dict[str, float]
    budget: dict[str, float]
    pairs: int
    clean_flagged: float
    recall: dict[str, float]
    clean: dict[str, tuple[float, ...]] = {}
    together: float = 1.0
    independent: float = 1.0

    def excess(self, scores: Mapping[str, Scores]) -> dict[str, Scores]:
        """How far each score lies above its threshold, in robust standard deviations of clean scores; negative below."""
        return {name: (scores[name] - limit) / self.scales[name] for name, limit in self.thresholds.items()}

    def flags(self, scores: Mapping[str, Scores]) -> np.ndarray:
        """Which pairs are over any threshold, (P,) bool."""
        over = np.zeros(len(next(iter(scores.values()))), bool)
        for values in self.excess(scores).values():
            over |= values > 0
        return over


def calibrate(clean: Mapping[str, Scores], injected: Mapping[str, Mapping[str, Scores]], false_positives: float) -> Calibration:
    """Thresholds that flag at most `false_positives` of the clean pairs.

    Args:
        clean: scores by channel of trusted pairs, (P,) each.
        injected: the same for each kind of self-made poison.
        false_positives: budget, a share of pairs.

    Raises:
        SourceError: too few clean pairs to leave one above the threshold.
    """
    pairs = len(next(iter(clean.values())))
    if pairs * false_positives < 1:
        raise SourceError(
            f"{pairs} trusted hold-out pairs cannot fix a false-positive rate of {false_positives}",
            hint=f"Give at least {int(np.ceil(1 / false_positives))} hold-out pairs, or raise evidence.false_positives",
        )
    scales = {name: _scale(values) for name, values in clean.items()}
    best: tuple[float, Calibration] | None = None
    for shares in _divisions(len(clean)):
        budget = {name: share * false_positives for name, share in zip(clean, shares, strict=True)}
        made = _fit(clean, injected, budget, scales)
        found = float(np.mean(list(made.recall.values()))) if made.recall else 0.0
        if made.thresholds and (best is None or found > best[0] + 1e-9):
            best = (found, made)
    if best is None:
        raise SourceError(
            f"{pairs} trusted hold-out pairs are too few for these channels at a false-positive rate of {false_positives}",
            hint="Give more trusted samples, add channels that see captions (nll_max), or raise evidence.false_positives",
        )
    return best[1]


def _fit(
    clean: Mapping[str, Scores], injected: Mapping[str, Mapping[str, Scores]], budget: dict[str, float], scales: dict[str, float]
) -> Calibration:
    limits = {name: _threshold(values, budget[name]) for name, values in clean.items()}
    thresholds = {name: limit for name, limit in limits.items() if limit is not None}
    made = Calibration(thresholds=thresholds, scales=scales, budget=budget, pairs=0, clean_flagged=0.0, recall={})
    recall = {kind: float(made.flags(scores).mean()) for kind, scores in injected.items()}
    flagged = made.flags(clean)
    known = {name: percentiles(values) for name, values in clean.items()}
    return made.model_copy(update={"pairs": len(flagged), "clean_flagged": float(flagged.mean()), "recall": recall, "clean": known})


def _threshold(values: Scores, share: float) -> float | None:
    """The smallest of these clean scores that the next one exceeds with probability `share` at most; None if there are too few.

    That holds among different scores (captions of one image may share one) and among all (many may be equal, at the end of a range).
    """
    distinct, every = np.unique(values), np.sort(values)
    rank, place = (int(np.floor(share * (len(scores) + 1) + 1e-9)) for scores in (distinct, every))
    return float(max(distinct[-rank], every[-place])) if rank else None


def _scale(values: Scores) -> float:
    spread = float(np.median(np.abs(values - np.median(values)))) * 1.4826
    return spread if spread > 1e-9 else 1.0


def _divisions(channels: int) -> Iterator[tuple[float, ...]]:
    """All ways to give quarters of the budget to the channels, the even ones first among equals."""
    ways = [cut for cut in itertools.product(range(_PARTS + 1), repeat=channels) if sum(cut) == _PARTS]
    yield from (tuple(part / _PARTS for part in cut) for cut in sorted(ways, key=lambda cut: (max(cut), cut)))
