"""The change of attack success between two arms, in pairs: the same test images with one seed, and the seeds where there are several.

Needs which images each attack succeeded on (`ModelScores.hits`). Results that were kept before those were have only their counts: the
arms are then taken as if each had been tested on images of its own, which is less sharp (Newcombe's interval of two shares).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from srd_core.report.over_seeds import mean_of, pooled
from srd_core.scoring.asr import LEFT_OUT
from srd_core.scoring.intervals import Interval, across_seeds, independent_difference, share_difference

Row = Mapping[str, Any]
Hits = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Difference:
    """`change` after less before, a fraction, with its 95 % interval; `by_image`, whether images were compared with themselves.

    `seeds`: how many both have.
    """

    change: Interval
    by_image: bool
    seeds: int

    @property
    def seen(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.change.low > 0 or self.change.high < 0


def difference(before: Sequence[Row], after: Sequence[Row], seed: str, *, same_images: bool = False) -> Difference | None:
    """The change of ASR over the seeds that both have, of images that count in both arms; None where there is none.

    With several seeds the interval is Student's of the seeds' changes, never narrower than that of all their images together, which are
    no more than one seed's where they are the same.

    Args:
        before: scores of models on one test set, one a seed.
        after: the same.
        seed: key of a row that says which seed it is of.
        same_images: the seeds are of the same test images.
    """
    first = {row[seed]: row for row in before if _asr(row)}
    pairs = [(first[row[seed]], row) for row in after if row[seed] in first and _asr(row)]
    if not pairs:
        return None
    hits = [both for old, new in pairs if (both := _hits(old, new)) is not None]
    by_image = len(hits) == len(pairs)
    if by_image:
        changes, images = [float(new.mean() - old.mean()) for old, new in hits], _by_image(hits, same_images)
    else:
        changes, images = [_asr(new)["value"] - _asr(old)["value"] for old, new in pairs], _by_count(pairs, same_images)
    seeds = across_seeds(changes)
    low, high = (images.low, images.high) if len(pairs) == 1 else (min(seeds.low, images.low), max(seeds.high, images.high))
    return Difference(Interval(value=seeds.value, low=max(low, -1.0), high=min(high, 1.0), n=images.n), by_image, len(pairs))


def _asr(row: Row) -> Mapping[str, Any]:
    """The row's ASR, empty where it is not known."""
    found = row.get("asr") or {}
    return found if found.get("value") is not None else {}


def _hits(old: Row, new: Row) -> tuple[Hits, Hits] | None:
    """Which of the images that count for both succeeded, 1 or 0; None where that is not on record."""
    told = [row.get("hits") or "" for row in (old, new)]
    if not told[0] or len(told[0]) != len(told[1]):
        return None
    both = [pair for pair in zip(*told, strict=True) if LEFT_OUT not in pair]
    if not both:
        return None
    first, second = np.asarray([[hit == "1" for hit in pair] for pair in both]).T
    return first, second


def _by_image(hits: Sequence[tuple[Hits, Hits]], same_images: bool) -> Interval:
    if same_images:
        return mean_of([share_difference(new, old) for old, new in hits], same_images)
    old, new = (np.concatenate(side) for side in zip(*hits, strict=True))
    return share_difference(new, old)


def _by_count(pairs: Sequence[tuple[Row, Row]], same_images: bool) -> Interval:
    old, new = (pooled([_asr(row) for row in side], same_images) for side in zip(*pairs, strict=True))
    return independent_difference(new, old)
