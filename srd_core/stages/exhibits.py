"""Pictures for the page: a few decided pairs before and after, and what the policy thinks of a few images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from heapq import nsmallest

import numpy as np

from srd_core.data.captions import clean
from srd_core.data.codec import Codec
from srd_core.data.decisions import CONDEMNED, IN_COLUMNS, Decision, score_of
from srd_core.data.images import ImageError, shrunk, squash
from srd_core.data.loading import read_samples
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Image, Sample
from srd_core.defences.calibration import Calibration
from srd_core.defences.consensus import words_of
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import Mask, draw
from srd_core.report.data import GalleryItem, QMap
from srd_core.report.text import NAME, visible
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Run

_CARDS, _MAPS = 24, 4
_SHOWN = 256
"""Longest side of what is kept of an image, pixels: twice what the page shows."""
_POOL = 4096
"""Rows that are held while the strongest are looked for: far more than are shown."""


class _Strongest:
    """The strongest of the rows that were offered, no two of which are alike by one of `marks`; `weight` is how strong a row is."""

    def __init__(self, weight: Callable[[Decision], float], *marks: Callable[[Decision], str]) -> None:
        self._weight, self._marks = weight, marks
        self._best: dict[str, tuple[float, str, Decision]] = {}

    def offer(self, row: Decision) -> None:
        mark, own = self._marks[0](row), (-self._weight(row), row.pair, row)
        self._best[mark] = min(self._best.get(mark, own), own, key=_place)
        if len(self._best) > _POOL:
            self._best = {self._marks[0](kept[2]): kept for kept in nsmallest(_POOL // 2, self._best.values(), key=_place)}

    def first(self, count: int, besides: Sequence[Decision] = ()) -> list[Decision]:
        """At most `count` of them, none like one of those `besides`."""
        chosen: list[Decision] = []
        seen = {(mark, mark(row)) for row in besides for mark in self._marks}
        for _, _, row in sorted(self._best.values(), key=_place):
            marks = {(mark, mark(row)) for mark in self._marks}
            if len(chosen) < count and not marks & seen:
                chosen.append(row)
                seen |= marks
        return chosen


def gallery(
    run: Run, source: StageManifest, rows: Iterable[Decision], word: str | None = None, calibration: Calibration | None = None
) -> tuple[GalleryItem, ...]:
    """Pairs that were changed, the strongest first, no image twice and, unless images were masked, no caption.

    Args:
        run: whose configuration holds.
        source: where the images are.
        rows: what was decided.
        word: the one that the verdict names: half of the pairs, the first, are such as hold it, the others are not.
        calibration: thresholds; a pair is as strong as its score that lies farthest above one.
    """
    holding, others = (_Strongest(lambda row: _excess(row, calibration), _caption, _image) for _ in range(2))
    masked = _Strongest(_gain, _image)
    for row in rows:
        if row.action == "mask":
            masked.offer(row)
        elif row.action in CONDEMNED:
            (holding if _holds(row, word) else others).offer(row)
    chosen = holding.first(_CARDS // 2)
    chosen += others.first(_CARDS // 2 if word else _CARDS, chosen)
    chosen += masked.first(_CARDS - len(chosen), chosen)
    images = _images(run, source, chosen, lambda image: shrunk(image, _SHOWN))
    return tuple(_card(row, images[row.shard, row.key], word) for row in chosen if (row.shard, row.key) in images)


def q_maps(run: Run, source: StageManifest, rows: Iterable[Decision], policy: LearnedPolicy) -> tuple[QMap, ...]:
    """Action values on the images that the policy would gain most on, no image twice."""
    gaining = _Strongest(_gain, _image)
    for row in rows:
        if row.q_gain is not None:
            gaining.offer(row)
    chosen = gaining.first(_MAPS)
    images = _images(run, source, chosen, lambda image: squash(image, run.config.canvas))
    space = policy.space
    maps = []
    for row in chosen:
        if (row.shard, row.key) in images:
            small = images[row.shard, row.key]
            values = policy.q_values(small[None])[0, : space.masks].reshape(len(space.sizes), space.grid, space.grid)
            maps.append(QMap(row.pair, small, space.sizes, values, policy.choose(small[None])[0].mask))
    return tuple(maps)


def _place(offered: tuple[float, str, Decision]) -> tuple[float, str]:
    return offered[:2]


def _gain(row: Decision) -> float:
    return row.q_gain or 0.0


def _image(row: Decision) -> str:
    return row.image_sha256_before or f"{row.shard}/{row.key}"


def _caption(row: Decision) -> str:
    return row.caption_before or row.pair


def _holds(row: Decision, word: str | None) -> bool:
    return word is not None and word in {visible(own, NAME) for own in words_of(clean(row.caption_before))}


def _scores(row: Decision) -> dict[str, float]:
    """By evidence channel, those that are on record."""
    known = ((name, score_of(row, name)) for name in (*IN_COLUMNS, *dict(row.score_others)))
    return {name: value for name, value in known if value is not None and np.isfinite(value)}


def _excess(row: Decision, calibration: Calibration | None) -> float:
    """How far the strongest score of a pair lies above its threshold, in deviations of clean scores; 0 where there is none."""
    if calibration is None:
        return 0.0
    scores, limits = _scores(row), calibration.thresholds
    return max(((scores[name] - limits[name]) / calibration.scales[name] for name in limits if name in scores), default=0.0)


def _card(row: Decision, image: Image, word: str | None) -> GalleryItem:
    after = None
    if row.mask_x is not None and row.mask_y is not None and row.mask_size is not None:
        height, width = image.shape[:2]
        short = min(height, width)
        after = draw(image, Mask(row.mask_x * short / width, row.mask_y * short / height, row.mask_size))
    told = word if word is not None and _holds(row, word) else ""
    captions = row.caption_before, row.caption_after
    return GalleryItem(row.pair, image, after, *captions, row.action, row.reason, _scores(row), row.suspicious_word, told)


def _images(run: Run, source: StageManifest, rows: Iterable[Decision], shrink: Callable[[Image], Image]) -> dict[tuple[str, str], Image]:
    """Pixels of these samples, read again from the source and shrunk at once; what cannot be read is left out."""
    wanted = {(row.shard, row.key) for row in rows}
    names = {shard for shard, _ in wanted}
    found: dict[tuple[str, str], Image] = {}
    with Codec(run.config.limits) as codec:
        for item in read_samples([ref for ref in shards_of(source) if ref.name in names], run.config.limits):
            if isinstance(item, Sample) and (item.shard, item.key) in wanted:
                wanted.remove((item.shard, item.key))
                with suppress(ImageError):
                    found[item.shard, item.key] = shrink(codec.decode(item.image))
            if not wanted:
                break
    return found
