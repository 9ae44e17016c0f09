"""Samples out of a WebDataset shard and back: streaming, one sample in memory and a digest of every key, every oddity a `Reject` with a
stable reason.

A sample is a run of members with the same key (the name up to the first dot of its last part): one image, captions in `.txt`, `.json` or
both, and nothing else but a few small plain companions. A sample with any other member is refused whole: dropping the member silently would
change the data, and carrying it would hand a pickle to the next loader. Pixels are not looked at here.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Self

from srd_core.data import captions, fields
from srd_core.data.captions import CaptionError
from srd_core.data.limits import Limits
from srd_core.data.samples import Reject, Sample
from srd_core.data.tar import Member, TarError, TarWriter, iter_members

IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp"})
CARRIED_SUFFIXES = frozenset({"cls", "id", "index", "key", "url", fields.COMPANION})
"""Companions that are plain text by convention, whose bytes pass through if that is what they are; and one of JSON, see `fields`."""
_CAPTIONS = frozenset({"txt", "json"})
_KNOWN_SUFFIXES = IMAGE_SUFFIXES | CARRIED_SUFFIXES | _CAPTIONS
EXECUTABLE_SUFFIXES = frozenset({"bin", "ckpt", "dill", "joblib", "npy", "npz", "pickle", "pkl", "pt", "pth", "py", "pyd", "sav", "so"})
"""Formats that ordinary loaders unpickle or run; they only get a more telling reason than other unknown members."""


@dataclass(slots=True)
class _Group:
    """Members that share a key, as they come."""

    key: str
    members: dict[str, bytes] = field(default_factory=dict)
    stored: dict[str, str] = field(default_factory=dict)
    problem: tuple[str, str] | None = None
    size: int = 0

    def add(self, suffix: str, data: bytes, limits: Limits) -> None:
        """Keep the member, or note the first problem. Captions are kept behind a problem, and as one, too: they are counted."""
        lowered = suffix.lower()
        problem: tuple[str, str] | None = None
        if lowered in self.members:
            problem = ("duplicate-member", f".{suffix} appears twice")
        elif len(self.members) >= limits.max_sample_members:
            problem = ("too-large", f"more than {limits.max_sample_members} members")
        elif lowered not in _KNOWN_SUFFIXES:
            problem = (self._kind(lowered), f"{'.' + suffix[:40] if suffix else 'a member without suffix'} is not a member that is carried")
        elif self.size + len(data) > limits.max_sample_bytes:
            problem = ("too-large", f"more than {limits.max_sample_bytes} bytes in one sample")
        counted = lowered in _CAPTIONS and lowered not in self.members and len(data) <= limits.max_text_bytes
        if problem is None or counted:
            self.size += len(data)
            self.members[lowered] = data
            self.stored[lowered] = suffix
        self.problem = self.problem or problem

    def _kind(self, suffix: str) -> str:
        if suffix.startswith("__") or (not suffix and self.key.startswith("__")):
            return "reserved-member"
        return "executable-member" if suffix.rsplit(".", 1)[-1] in EXECUTABLE_SUFFIXES else "unknown-member"


def _split(name: str) -> tuple[str, str]:
    """(key, suffix) by the WebDataset convention; the key of a name that begins with a dot is the whole name."""
    folder, slash, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return (f"{folder}{slash}{stem}", suffix) if stem else (name, "")


def _groups(members: Iterable[Member], limits: Limits) -> Iterator[_Group | TarError]:
    """Runs of members with one key; a broken archive ends with its error."""
    group: _Group | None = None
    broken: TarError | None = None
    try:
        for member in members:
            key, suffix = _split(member.name)
            if group is None or group.key != key:
                if group is not None:
                    yield group
                group = _Group(key)
            group.add(suffix, member.data, limits)
    except TarError as error:
        broken = error
    if group is not None:
        yield group
    if broken is not None:
        yield broken


def _sample(shard: str, group: _Group, limits: Limits) -> Sample | Reject:
    """The group as a sample, or why not. The caption is read even then, to count the pairs."""
    problem, pairs = group.problem, 1
    found = captions.Captions((), (), None)
    images = [suffix for suffix in group.members if suffix in IMAGE_SUFFIXES]
    if problem is None and len(images) != 1:
        problem = ("no-image", "no image member") if not images else ("duplicate-member", f"{len(images)} images")
    try:
        found = captions.parse(group.members.get("txt"), group.members.get("json"), limits)
        pairs = len(found.cleaned)
        for suffix in sorted(group.members.keys() & CARRIED_SUFFIXES):
            captions.check_companion(group.members[suffix], limits, is_json=suffix == fields.COMPANION)
    except CaptionError as error:
        problem = problem or (error.reason, error.detail)
        pairs = max(pairs, error.pairs)
    if problem is not None:
        return Reject(shard, group.key, *problem, pairs=pairs)
    carried = {suffix: data for suffix, data in group.members.items() if suffix in CARRIED_SUFFIXES}
    if found.record is not None and "txt" in group.members:
        carried["txt"] = group.members["txt"]
    raw = found.raw if found.raw != found.cleaned else ()
    return Sample(shard, group.key, group.members[images[0]], group.stored[images[0]], found.cleaned, found.record, carried, raw)


def read_shard(stream: BinaryIO, shard: str, limits: Limits | None = None) -> Iterator[Sample | Reject]:
    """Samples and rejects of one shard, in order, each key once.

    A key that comes again after another one becomes a Reject named `KEY//2`, `KEY//3`, … (no member can have such a name). Keys that differ
    only in letter case or Unicode form are the same: some file systems, and the tools on them, do not tell them apart.
    An archive that breaks gives its good prefix, then one Reject with key "" and a reason that ends in `-shard`, such as `truncated-shard`;
    the last sample before the break is kept if it is complete by itself. Only errors of `stream` itself are raised.

    Args:
        stream: the tar bytes; read once, from here to the end.
        shard: name used in pair ids, the file name without `.tar`.
        limits: what is refused as too large.
    """
    limits = limits or Limits()
    seen: set[bytes] = set()
    repeats: dict[str, int] = {}
    for number, group in enumerate(_groups(iter_members(stream, limits), limits)):
        if isinstance(group, TarError):
            yield Reject(shard, "", f"{group.reason}-shard", group.detail)
            return
        if number >= limits.max_samples:
            yield Reject(shard, "", "too-many-samples-shard", f"more than {limits.max_samples} samples; the rest is not read")
            return
        item = _sample(shard, group, limits)
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", group.key).casefold())
        mark = hashlib.blake2b(folded.encode(), digest_size=16).digest()
        if mark in seen:
            repeats[folded] = repeats.get(folded, 1) + 1
            pairs = item.pairs if isinstance(item, Reject) else len(item.captions)
            detail = f"{group.key!a}, or the same in other letter case, came before"
            item = Reject(shard, f"{group.key}//{repeats[folded]}", "duplicate-key", detail, pairs)
        seen.add(mark)
        yield item


class ShardWriter:
    """Writes samples as a deterministic tar: same keys, given order, captions in the members they came from, of other JSON what is carried.

    Use it as a context manager; `stream` stays open. `limits` are those that the samples were read with.
    """

    def __init__(self, stream: BinaryIO, limits: Limits | None = None) -> None:
        self._tar = TarWriter(stream, limits)
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tar.__exit__(kind, error, trace)

    def write(self, sample: Sample) -> None:
        """Image, `.txt`, `.json`, then companions. Raises ValueError for several captions and no JSON to hold them."""
        for suffix, data in _members(sample):
            self._tar.write(f"{sample.key}.{suffix}", data)
        self.count += 1


def outgrown(sample: Sample, limits: Limits) -> str:
    """Why a reader with these limits would refuse the sample as it is written; empty if it would not.

    What comes out can be larger than what went in: pixels in another format, numbers in JSON.
    """
    members = _members(sample)
    for suffix, data in members:
        most = limits.max_member_bytes if suffix.lower() in IMAGE_SUFFIXES else min(limits.max_member_bytes, limits.max_text_bytes)
        if len(data) > most:
            return f".{suffix} would be written with {len(data)} bytes; the limit is {most}"
    total = sum(len(data) for _, data in members)
    return f"it would be written with {total} bytes; the limit is {limits.max_sample_bytes}" if total > limits.max_sample_bytes else ""


def _members(sample: Sample) -> list[tuple[str, bytes]]:
    """Suffix and content of what is written of a sample."""
    if not sample.captions or (len(sample.captions) > 1 and (sample.record is None or sample.record.get("captions") is None)):
        raise ValueError(f"{sample.shard}/{sample.key} has {len(sample.captions)} captions and no member that holds them")
    members = [(sample.suffix, sample.image)]
    if sample.record is None or "txt" in sample.carried:
        members.append(("txt", sample.captions[0].encode()))
    if sample.record is not None:
        members.append(("json", fields.dump(sample.record, sample.captions)))
    beside = [(suffix, data) for suffix, data in sorted(sample.carried.items()) if suffix != "txt"]
    return members + [(suffix, fields.dump_companion(data) if suffix == fields.COMPANION else data) for suffix, data in beside]
