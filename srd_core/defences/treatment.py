"""What happens to one batch: images are looked at, the defence decides, masks are painted, files are written. Rejects pass by.

Each step takes what is not rejected so far and may reject some of it; order is kept. New files are handed on one by one, as they are made:
a PNG that is written again may be far larger than it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from srd_core.data.codec import Codec, Look, Rewrite
from srd_core.data.decisions import IN_COLUMNS, Decision, rejections
from srd_core.data.images import ImageError
from srd_core.data.limits import Limits
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import outgrown
from srd_core.defences.base import Batch, Defence, SampleDecision
from srd_core.policy.masks import box

Outcome = tuple[Sample | None, Sample | None, list[Decision]]
"""The sample to keep, the sample to withhold (each None when there is none), and the decision rows."""

Before = TypeVar("Before")
After = TypeVar("After")
_BLIND = Look(np.zeros((0, 0, 3), np.uint8), 0, 0)


@dataclass(frozen=True)
class Output:
    """How images are written: `quality` of JPEG and WebP, 1 to 100; `verbatim` keeps the bytes of unmasked images that decode."""

    quality: int = 90
    verbatim: bool = False


DEFAULT = Output()

_COLUMNS = frozenset((*IN_COLUMNS, "sfs"))
"""Evidence that has columns of its own in the decisions; of a caption's misfit they hold what is left to 1, the SFS."""


@dataclass(frozen=True, slots=True)
class _Seen:
    sample: Sample
    look: Look


@dataclass(frozen=True, slots=True)
class _Decided:
    sample: Sample
    look: Look
    decision: SampleDecision
    data: bytes = b""


def treat(
    items: Sequence[Sample | Reject], defence: Defence, codec: Codec, canvas: int, output: Output, limits: Limits
) -> Iterator[Outcome]:
    """The outcomes of a batch, in its order. `canvas` is the side of the images that the defence sees, pixels.

    A sample that would be written larger than `limits`, so that nobody could read it again under them, is a reject.
    """
    seen = _step(items, lambda samples: _look(samples, codec, canvas if defence.looks or output.verbatim else 0))
    decided = _step(seen, lambda those: _decide(those, defence))
    for item in _written(decided, codec, output):
        yield (None, None, rejections(item)) if isinstance(item, Reject) else _within(_outcome(item), item.sample, limits)


def looked_at(items: Sequence[Sample | Reject], defence: Defence, codec: Codec, canvas: int) -> Iterator[tuple[Sample, SampleDecision]]:
    """What `defence` decides on the samples of a batch whose images can be read, and nothing done about it."""
    seen = _step(items, lambda samples: _look(samples, codec, canvas))
    for item in _step(seen, lambda those: _decide(those, defence)):
        if not isinstance(item, Reject):
            yield item.sample, item.decision


def _step(items: Sequence[Before | Reject], work: Callable[[list[Before]], list[After | Reject]]) -> list[After | Reject]:
    results = iter(work([item for item in items if not isinstance(item, Reject)]))
    return [item if isinstance(item, Reject) else next(results) for item in items]


def _look(samples: list[Sample], codec: Codec, side: int) -> list[_Seen | Reject]:
    looks = codec.looks([sample.image for sample in samples], side) if side else iter([_BLIND] * len(samples))
    return [
        _rejected(sample, look) if isinstance(look, ImageError) else _Seen(sample, look)
        for sample, look in zip(samples, looks, strict=True)
    ]


def _decide(those: list[_Seen], defence: Defence) -> list[_Decided | Reject]:
    if not those:
        return []
    samples = [seen.sample for seen in those]
    images = np.stack([seen.look.canvas for seen in those])
    ids, shapes = [tuple(sample.pairs()) for sample in samples], [(seen.look.height, seen.look.width) for seen in those]
    decisions = defence.decide(Batch(images, [sample.captions for sample in samples], ids, shapes))
    return [_Decided(seen.sample, seen.look, decision) for seen, decision in zip(those, decisions, strict=True)]


def _written(items: Sequence[_Decided | Reject], codec: Codec, output: Output) -> Iterator[_Decided | Reject]:
    changed = [not isinstance(item, Reject) and not (output.verbatim and item.decision.mask is None) for item in items]
    jobs = (_job(item, output.quality) for item, new in zip(items, changed, strict=True) if new and not isinstance(item, Reject))
    files = codec.rewrites(jobs)
    for item, new in zip(items, changed, strict=True):
        if isinstance(item, Reject):
            yield item
            continue
        data = next(files) if new else item.sample.image
        yield _rejected(item.sample, data) if isinstance(data, ImageError) else replace(item, data=data)


def _job(item: _Decided, quality: int) -> Rewrite:
    mask = item.decision.mask
    return Rewrite(item.sample.image, item.sample.suffix, quality, box(mask, item.look.height, item.look.width) if mask else None)


def _rejected(sample: Sample, error: ImageError) -> Reject:
    return Reject(sample.shard, sample.key, error.reason, error.detail, len(sample.captions))


def _outcome(item: _Decided) -> Outcome:
    sample, look, decision, data = item.sample, item.look, item.decision, item.data
    before, after = _sha256(sample.image), _sha256(data)
    x, y, size = decision.mask.fields(look.height, look.width) if decision.mask else (None, None, None)
    rows: list[Decision] = []
    staying: list[str] = []
    leaving: list[str] = []
    for name, caption, raw, pair in zip(sample.pairs(), sample.captions, sample.raw or sample.captions, decision.pairs, strict=True):
        withheld = pair.action == "quarantine"
        new = pair.caption if pair.action == "recaption" and pair.caption is not None else caption
        (leaving if withheld else staying).append(new)
        rows.append(
            Decision(
                shard=sample.shard,
                key=sample.key,
                pair=name,
                action=pair.action,
                reason=pair.reason if raw == caption else f"{pair.reason}; caption cleaned",
                mask_x=x,
                mask_y=y,
                mask_size=size,
                q_value=decision.q_value,
                q_gain=decision.q_gain,
                score_nll_mean=pair.evidence.get("nll_mean"),
                score_nll_max=pair.evidence.get("nll_max"),
                score_sfs=pair.evidence.get("sfs"),
                suspicious_word=pair.word,
                caption_before=raw,
                caption_after="" if withheld else new,
                image_sha256_before=before,
                image_sha256_after="" if withheld else after,
                image_width=look.width or None,
                image_height=look.height or None,
                score_others=tuple(sorted((name, score) for name, score in pair.evidence.items() if name not in _COLUMNS)),
            )
        )
    kept = replace(sample, image=data, captions=tuple(staying), raw=()) if staying else None
    return kept, replace(sample, image=data, captions=tuple(leaving), raw=()) if leaving else None, rows


def _within(outcome: Outcome, sample: Sample, limits: Limits) -> Outcome:
    kept, withheld, _ = outcome
    problem = next((why for part in (kept, withheld) if part is not None and (why := outgrown(part, limits))), "")
    if not problem:
        return outcome
    return None, None, rejections(Reject(sample.shard, sample.key, "too-large", problem, len(sample.captions)))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
