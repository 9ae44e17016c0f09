"""Reading shards to the end without writing anything: what would be refused, what would be changed, and how much is fine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from srd_core.data.batches import batches
from srd_core.data.codec import Codec, Look
from srd_core.data.fields import left_out
from srd_core.data.images import ImageError, check_writable
from srd_core.data.inventory import ShardRef, open_shard
from srd_core.data.limits import Limits
from srd_core.data.reasons import REASONS, Level
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import read_shard
from srd_core.progress import counter

_SIDE = 8
_NAMED = 3
_KNOWN = 1000
"""Names of fields that are remembered of a shard; there may be any number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `key` is empty when it is about the shard."""

    shard: str
    key: str
    reason: str
    detail: str

    @property
    def level(self) -> Level:
        """How bad; see `reasons`."""
        return REASONS[self.reason].level


@dataclass
class Inspection:
    """Counts of one pass, complete when `findings` has been read to its end. `rewrites`: images are to be written again, from pixels."""

    shards: list[ShardRef]
    limits: Limits
    children: int = 1
    rewrites: bool = True
    samples: int = 0
    pairs: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many findings there were."""
        return sum(self.by_reason.values())

    def findings(self) -> Iterator[Finding]:
        """All findings in the order of the data; memory holds one batch."""
        size = sum(shard.size for shard in self.shards)
        with Codec(self.limits, children=self.children) as codec, counter("kB of shards", total=size // 1000) as count:
            for shard in self.shards:
                with open_shard(shard) as stream:
                    for finding in self._of(shard.name, read_shard(stream, shard.name, self.limits), codec):
                        self.by_reason[finding.reason] = self.by_reason.get(finding.reason, 0) + 1
                        yield finding
                count(shard.size // 1000)

    def _of(self, shard: str, items: Iterable[Sample | Reject], codec: Codec) -> Iterator[Finding]:
        without, names = 0, dict[str, None]()
        for batch in batches(items):
            looks = codec.looks([item.image for item in batch if isinstance(item, Sample)], _SIDE)
            for item in batch:
                if isinstance(item, Reject):
                    yield Finding(item.shard, item.key, item.reason, item.detail)
                    continue
                if problem := self._unusable(item, next(looks)):
                    yield Finding(item.shard, item.key, problem.reason, problem.detail)
                    continue
                self.samples += 1
                self.pairs += len(item.captions)
                if item.raw:
                    yield Finding(item.shard, item.key, "caption-cleaned", _changed(item))
                if fields := left_out(item):
                    without += 1
                    names.update(dict.fromkeys(field[:80] for field in fields[: _KNOWN - len(names)]))
        if without:  # one for the shard: honest sets have such fields in every sample
            yield Finding(shard, "", "field-left-out", f"{_listed(names)} of {without:,} {'sample' if without == 1 else 'samples'}")

    def _unusable(self, sample: Sample, look: Look | ImageError) -> ImageError | None:
        """Why the image could not be read, or not be written again."""
        if isinstance(look, ImageError):
            return look
        try:
            if self.rewrites:
                check_writable(sample.suffix, look.height, look.width)
        except ImageError as error:
            return error
        return None


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(f"{name!a}" for name in islice(names, _NAMED))
    return f"{shown} and {len(names) - _NAMED:,} other fields" if len(names) > _NAMED else shown


def _changed(sample: Sample) -> str:
    changed = [raw for raw, caption in zip(sample.raw, sample.captions, strict=True) if raw != caption]
    return f"{len(changed)} of {len(sample.captions)}, such as {changed[0][:80]!a}"
