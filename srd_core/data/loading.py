"""Shards to model-ready pairs: every image decoded once, squashed to one square size and written to a memory-mapped file.

What cannot be read is skipped and counted by reason.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from srd_core.data.canvas import CanvasSet, CanvasWriter
from srd_core.data.codec import Codec
from srd_core.data.images import ImageError
from srd_core.data.inventory import ShardRef, open_shard
from srd_core.data.limits import Limits
from srd_core.data.samples import Reject, Sample, Split
from srd_core.data.shards import read_shard
from srd_core.seeds import derive


def split_of(key: str, holdout: float) -> Split:
    """The part that a key draws; neither order nor shard moves it. `holdout` is the expected fraction, 0 to 1."""
    return "holdout" if derive(0, "split", key) / 2**63 < holdout else "fit"


class Parts:
    """The part that samples belong to: the one that the key of the first sample with the same image draws.

    So an image that comes several times, with one caption each, is not held out and trained on. Images are the same if their bytes are.
    To agree, whoever asks must ask about all samples, in the inventory's order, up to the last that counts; rejects are nobody's first.
    Keeps a digest of every image, about 100 bytes.
    """

    def __init__(self, holdout: float) -> None:
        self._holdout = holdout
        self._held: dict[bytes, Split] = {}

    def of(self, sample: Sample) -> Split:
        """The part of `sample`."""
        image = hashlib.blake2b(sample.image, digest_size=16).digest()
        return self._held.setdefault(image, split_of(sample.key, self._holdout))


def read_samples(shards: Iterable[ShardRef], limits: Limits | None = None) -> Iterator[Sample | Reject]:
    """Samples and rejects of all shards, in order."""
    for shard in shards:
        with open_shard(shard) as stream:
            yield from read_shard(stream, shard.name, limits)


def load_canvas(
    inventory_shards: Iterable[ShardRef],
    side: int,
    folder: Path,
    *,
    split: Split | None = None,
    holdout: float = 0.15,
    limit: int | None = None,
    limits: Limits | None = None,
) -> tuple[CanvasSet, Counter[str]]:
    """Images (M, side, side, 3) with all their captions, and how many samples were skipped for which reason.

    Args:
        inventory_shards: what `take_inventory` found.
        side: canvas side in pixels.
        folder: where the pixel file is made; it must outlive the set.
        split: only this part of the samples, see `Parts`; None for all.
        holdout: expected fraction of the `holdout` part, 0 to 1.
        limit: stop after this many images.
        limits: what is refused as too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = CanvasWriter(folder / f"canvas-{side}-{split or 'all'}.rgb", side)
    skipped: Counter[str] = Counter()
    count, parts = 0, Parts(holdout)
    with Codec(limits) as codec:
        for item in read_samples(inventory_shards, limits):
            if limit is not None and count >= limit:
                break
            if isinstance(item, Reject):
                skipped[item.reason] += 1
            elif split is None or parts.of(item) == split:
                try:
                    writer.add(codec.look(item.image, side).canvas, item.captions, item.pairs())
                    count += 1
                except ImageError as error:
                    skipped[error.reason] += 1
    return writer.finish(), skipped
