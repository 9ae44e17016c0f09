"""One suspect shard through one defence: read strictly, decide in batches, paint masks at the image's own resolution, write.

Memory holds one batch. Every image that goes out was written here, from pixels, but for those that `verbatim` lets through. A sample
that cannot be read or decoded is listed as `reject` and left out; a sample left without captions goes to quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from srd_core.data.batches import batches
from srd_core.data.codec import Codec
from srd_core.data.decisions import Decision, DecisionWriter
from srd_core.data.limits import Limits
from srd_core.data.reasons import ends_shard
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.defences.base import Defence
from srd_core.defences.treatment import DEFAULT, Output, treat


@dataclass(frozen=True)
class Tally:
    """Pairs by action, and rejected pairs by reason. Every input pair is counted once, so is every shard not read to its end."""

    actions: Mapping[str, int] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        """All of them."""
        return sum(self.actions.values())

    @property
    def ended(self) -> int:
        """Shards that were not read to their end."""
        return sum(count for reason, count in self.rejects.items() if ends_shard(reason))

    def __add__(self, other: Tally) -> Tally:
        return Tally(_sum(self.actions, other.actions), _sum(self.rejects, other.rejects))

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Tally:
        """The inverse of `as_facts`."""
        return cls(facts["actions"], facts["rejects"])

    def as_facts(self) -> dict[str, Any]:
        """For a manifest."""
        return {"pairs": self.pairs, "actions": dict(self.actions), "rejects": dict(self.rejects)}


def rewrite_shard(
    stream: BinaryIO,
    shard: str,
    defence: Defence,
    folder: Path,
    codec: Codec,
    *,
    canvas: int,
    output: Output = DEFAULT,
    limits: Limits,
    arrange: Callable[[Iterator[Sample | Reject]], Iterator[Sample | Reject]] = iter,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[dict[str, Path], Tally]:
    """Write `shards/NAME.tar`, `decisions/NAME.parquet` and, when something is withheld, `quarantine/NAME.tar` below `folder`.

    Args:
        stream: the suspect shard.
        shard: its name without `.tar`.
        defence: decides.
        folder: for the files; their names are returned with their paths.
        codec: reads and writes the images.
        canvas: side of the images that the defence sees, pixels.
        output: how images are written.
        limits: what is refused.
        arrange: changes samples before anything else sees them.
        progress: told after each batch how many bytes of images it held.
    """
    paths = {name: folder / name for name in (f"shards/{shard}.tar", f"decisions/{shard}.parquet", f"quarantine/{shard}.tar")}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = (stack.enter_context(paths[f"{place}/{shard}.tar"].open("wb")) for place in ("shards", "quarantine"))
        kept, withheld = (stack.enter_context(ShardWriter(file, limits)) for file in files)
        rows = stack.enter_context(DecisionWriter(paths[f"decisions/{shard}.parquet"]))
        tally = Tally()
        for items in batches(arrange(read_shard(stream, shard, limits))):
            for clean, aside, own in treat(items, defence, codec, canvas, output, limits):
                if clean is not None:
                    kept.write(clean)
                if aside is not None:
                    withheld.write(aside)
                for row in own:
                    rows.write(row)
                tally = tally + _count(own)
            progress(sum(len(item.image) for item in items if isinstance(item, Sample)))
        empty = withheld.count == 0
    if empty:
        paths.pop(f"quarantine/{shard}.tar").unlink()
    return paths, tally


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
