"""One suspect shard through one defence: read strictly, decide in batches, draw masks at the image's own resolution, write.

Memory holds one batch. An image that is not masked keeps its bytes. A sample that cannot be read or decoded is listed as `reject` and
left out; a sample left without captions goes to quarantine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from srd_core.data.decisions import Decision, DecisionWriter, rejections
from srd_core.data.images import ImageError, decode, encode, squash
from srd_core.data.limits import Limits
from srd_core.data.samples import Image, Reject, Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.defences.base import Batch, Defence, SampleDecision
from srd_core.policy.masks import draw

_BATCH = 64


@dataclass(frozen=True)
class Tally:
    """Pairs by action, and rejected pairs by reason. Every input pair is counted once."""

    actions: Mapping[str, int] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        """All of them."""
        return sum(self.actions.values())

    def __add__(self, other: Tally) -> Tally:
        return Tally(_sum(self.actions, other.actions), _sum(self.rejects, other.rejects))

    def as_facts(self) -> dict[str, Any]:
        """For a manifest."""
        return {"pairs": self.pairs, "actions": dict(self.actions), "rejects": dict(self.rejects)}


def rewrite_shard(
    stream: BinaryIO,
    shard: str,
    defence: Defence,
    folder: Path,
    *,
    canvas: int,
    quality: int,
    limits: Limits,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, Path], Tally]:
    """Write `shards/NAME.tar`, `decisions/NAME.parquet` and, when something is withheld, `quarantine/NAME.tar` below `folder`.

    Args:
        stream: the suspect shard.
        shard: its name without `.tar`.
        defence: decides.
        folder: for the files; their names are returned with their paths.
        canvas: side of the images that the defence sees, pixels.
        quality: JPEG and WebP quality of masked images.
        limits: what is refused.
        progress: told after each batch how many bytes of images it held.
    """
    paths = {name: folder / name for name in (f"shards/{shard}.tar", f"decisions/{shard}.parquet", f"quarantine/{shard}.tar")}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = (stack.enter_context(paths[f"{place}/{shard}.tar"].open("wb")) for place in ("shards", "quarantine"))
        kept, withheld = (stack.enter_context(ShardWriter(file)) for file in files)
        rows = stack.enter_context(DecisionWriter(paths[f"decisions/{shard}.parquet"]))
        tally = Tally()
        for samples, images, rejects in _batches(read_shard(stream, shard, limits), limits):
            made = [row for reject in rejects for row in rejections(reject)]
            for sample, image, decision in zip(samples, images, _decide(defence, samples, images, canvas), strict=True):
                clean, aside, own = _apply(sample, image, decision, quality)
                made += own
                if clean is not None:
                    kept.write(clean)
                if aside is not None:
                    withheld.write(aside)
            for row in made:
                rows.write(row)
            tally = tally + _count(made)
            progress(sum(len(sample.image) for sample in samples))
        empty = withheld.count == 0
    if empty:
        paths.pop(f"quarantine/{shard}.tar").unlink()
    return paths, tally


def _batches(items: Iterator[Sample | Reject], limits: Limits) -> Iterator[tuple[list[Sample], list[Image], list[Reject]]]:
    samples: list[Sample] = []
    images: list[Image] = []
    rejects: list[Reject] = []
    for item in items:
        if isinstance(item, Reject):
            rejects.append(item)
        else:
            try:
                images.append(decode(item.image, limits))
                samples.append(item)
            except ImageError as error:
                rejects.append(Reject(item.shard, item.key, error.reason, error.detail, len(item.captions)))
        if len(samples) == _BATCH or len(rejects) == _BATCH:
            yield samples, images, rejects
            samples, images, rejects = [], [], []
    if samples or rejects:
        yield samples, images, rejects


def _decide(defence: Defence, samples: list[Sample], images: list[Image], canvas: int) -> list[SampleDecision]:
    if not samples:
        return []
    squashed = np.stack([squash(image, canvas) for image in images])
    return defence.decide(Batch(squashed, [sample.captions for sample in samples]))


def _apply(sample: Sample, image: Image, decision: SampleDecision, quality: int) -> tuple[Sample | None, Sample | None, list[Decision]]:
    """The sample to keep, the sample to withhold (each None when empty), and the decision rows."""
    data = encode(draw(image, decision.mask), sample.suffix, quality) if decision.mask else sample.image
    before, after = _sha256(sample.image), _sha256(data)
    x, y, size = decision.mask.fields(*image.shape[:2]) if decision.mask else (None, None, None)
    rows: list[Decision] = []
    staying: list[str] = []
    leaving: list[str] = []
    for name, caption, pair in zip(sample.pairs(), sample.captions, decision.pairs, strict=True):
        withheld = pair.action == "quarantine"
        new = pair.caption if pair.action == "recaption" and pair.caption is not None else caption
        (leaving if withheld else staying).append(new)
        rows.append(
            Decision(
                shard=sample.shard,
                key=sample.key,
                pair=name,
                action=pair.action,
                reason=pair.reason,
                mask_x=x,
                mask_y=y,
                mask_size=size,
                q_value=decision.q_value,
                q_gain=decision.q_gain,
                score_nll_mean=pair.evidence.get("nll_mean"),
                score_nll_max=pair.evidence.get("nll_max"),
                score_sfs=pair.evidence.get("sfs"),
                suspicious_word=pair.word,
                caption_before=caption,
                caption_after="" if withheld else new,
                image_sha256_before=before,
                image_sha256_after="" if withheld else after,
            )
        )
    kept = replace(sample, image=data, captions=tuple(staying)) if staying else None
    return kept, replace(sample, captions=tuple(leaving)) if leaving else None, rows


def _count(rows: list[Decision]) -> Tally:
    actions: dict[str, int] = {}
    rejects: dict[str, int] = {}
    for row in rows:
        actions[row.action] = actions.get(row.action, 0) + 1
        if row.action == "reject":
            rejects[row.reason] = rejects.get(row.reason, 0) + 1
    return Tally(actions, rejects)


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in sorted({*a, *b})}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
