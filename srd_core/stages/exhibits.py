"""Pictures for the page: a few decided pairs before and after, and what the policy thinks of a few images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from heapq import nsmallest
from itertools import groupby

import numpy as np

from srd_core.data.codec import Codec
from srd_core.data.decisions import Decision, sample_of
from srd_core.data.images import ImageError, shrunk, squash
from srd_core.data.loading import read_samples
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Image, Sample
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import Mask, draw
from srd_core.report.data import GalleryItem, QMap
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Run

_CARDS, _MAPS = 24, 4
_SHOWN = 256
"""Longest side of what is kept of an image, pixels: twice what the page shows."""


def gallery(run: Run, source: StageManifest, rows: Iterable[Decision]) -> tuple[GalleryItem, ...]:
    """The decisions that changed something, most surprising first."""
    changed = (row for row in rows if row.action in ("mask", "recaption", "quarantine"))
    chosen = nsmallest(_CARDS, changed, key=lambda row: (-(row.score_nll_max or row.q_gain or 0.0), row.pair))
    images = _images(run, source, chosen, lambda image: shrunk(image, _SHOWN))
    return tuple(_card(row, images[row.shard, row.key]) for row in chosen if (row.shard, row.key) in images)


def q_maps(run: Run, source: StageManifest, rows: Iterable[Decision], policy: LearnedPolicy) -> tuple[QMap, ...]:
    """Action values on the images that the policy would gain most on."""

    def least(row: Decision) -> tuple[float, str]:
        return -(row.q_gain or 0.0), row.pair

    judged = (row for row in rows if row.q_gain is not None)
    chosen = nsmallest(_MAPS, (min(own, key=least) for _, own in groupby(judged, key=sample_of)), key=least)
    images = _images(run, source, chosen, lambda image: squash(image, run.config.canvas))
    space = policy.space
    maps = []
    for row in chosen:
        if (row.shard, row.key) in images:
            small = images[row.shard, row.key]
            values = policy.q_values(small[None])[0, : space.masks].reshape(len(space.sizes), space.grid, space.grid)
            maps.append(QMap(row.pair, small, space.sizes, values, policy.choose(small[None])[0].mask))
    return tuple(maps)


def _card(row: Decision, image: Image) -> GalleryItem:
    after = None
    if row.mask_x is not None and row.mask_y is not None and row.mask_size is not None:
        height, width = image.shape[:2]
        short = min(height, width)
        after = draw(image, Mask(row.mask_x * short / width, row.mask_y * short / height, row.mask_size))
    known = {"nll_mean": row.score_nll_mean, "nll_max": row.score_nll_max, "sfs": row.score_sfs, "q_gain": row.q_gain}
    scores = {name: value for name, value in known.items() if value is not None and np.isfinite(value)}
    return GalleryItem(row.pair, image, after, row.caption_before, row.caption_after, row.action, row.reason, scores, row.suspicious_word)


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
