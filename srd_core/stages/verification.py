"""A sink against its manifest: every file by digest, and in a shard that differs, the samples that are not what the decisions say."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from srd_core.data.decisions import Decision, read_decisions
from srd_core.data.limits import Limits, for_written
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import read_shard
from srd_core.errors import SourceError, StorageError
from srd_core.stages.bystanders import is_harmless, is_on_the_way
from srd_core.stages.claim import NAME as RUN
from srd_core.stages.seal import NAME as MANIFEST
from srd_core.stages.seal import Statement, Subject
from srd_core.storage import Storage, is_remote, open_storage
from srd_core.storage.base import checked_key

STRANGER = " is in the sink, but "
"""What a problem says behind the name of something that the run did not write."""

_NAMED = 20


def check(sink: str) -> list[str]:
    """What differs between a sink and its manifest, one line each; empty when nothing does.

    Raises:
        SourceError: as `Statement.read`. StorageError: the sink cannot be read.
    """
    storage = open_storage(sink)
    statement = Statement.read(storage)
    limits, problems = _limits(statement), []
    intact: set[str] = set()
    for subject in statement.subject:
        problem = _problem(storage, subject)
        if problem:
            problems.append(problem)
        else:
            intact.add(subject.name)
    for subject in statement.subject:
        if subject.name not in intact and subject.name.startswith("shards/"):
            problems += _samples(storage, subject.name, intact, limits)
    return problems + list(_strangers(storage, {subject.name for subject in statement.subject}))


def _strangers(storage: Storage, named: set[str]) -> Iterator[str]:
    """What lies at the sink and is not named. RUN.json need not be: older manifests do not name it."""
    for info in storage.list():
        if info.key not in named | {MANIFEST, RUN} and not is_harmless(info.key) and not is_on_the_way(info.key):
            yield f"{info.key}{STRANGER}not in the manifest"
    for name in storage.unlisted():
        if not is_on_the_way(name):
            yield f"{name[:120]!a}{STRANGER}no file that the run wrote"


def _problem(storage: Storage, subject: Subject) -> str:
    name = checked_key(subject.name)  # a manifest that names what no run writes is none
    try:
        info = storage.stat(name)
        if info is None:
            return f"{subject.name} is missing"
        if info.size != subject.annotations.size:
            return f"{subject.name} has {info.size} bytes, not {subject.annotations.size}"
        if storage.digest(subject.name) != subject.digest.sha256:
            return f"{subject.name} has other content than when it was written"
    except StorageError as error:
        if is_remote(storage.uri):
            raise
        return f"{subject.name} cannot be read: {error.message}"  # a link out of the sink, a closed folder: one hides no other
    return ""


def _limits(statement: Statement) -> Limits:
    """Those of the run: what it let through is no damage."""
    try:
        return for_written(Limits.model_validate(statement.predicate["configuration"]["limits"]))
    except (KeyError, TypeError, ValidationError):
        return Limits()


def _samples(storage: Storage, shard: str, intact: set[str], limits: Limits) -> list[str]:
    """The samples of a shard that are not as the decisions say, as far as the decisions can be trusted."""
    try:
        if storage.stat(shard) is None:
            return []
    except StorageError:
        return []
    name = PurePosixPath(shard).stem
    decisions = f"decisions/{name}.parquet"
    if decisions not in intact:
        return [f"{shard}: which samples differ cannot be told, since {decisions} is not as it was written either"]
    try:
        expected = _expected(storage, decisions)
        lines = list(_differences(storage, shard, name, expected, limits))
    except (SourceError, StorageError) as error:
        return [f"{shard}: which samples differ cannot be told: {error.message}"]
    more = [f"{shard}: {len(lines) - _NAMED} more samples differ"] if len(lines) > _NAMED else []
    return lines[:_NAMED] + more


def _expected(storage: Storage, decisions: str) -> dict[str, list[Decision]]:
    rows: dict[str, list[Decision]] = {}
    with tempfile.TemporaryDirectory(prefix="srd-verify-") as folder:  # Parquet is read from its end, which no stream of S3 can do
        for row in read_decisions(storage.fetch(decisions, Path(folder))):
            if row.action not in ("reject", "quarantine"):
                rows.setdefault(row.key, []).append(row)
    return rows


def _differences(storage: Storage, shard: str, name: str, expected: dict[str, list[Decision]], limits: Limits) -> Iterator[str]:
    missing = dict.fromkeys(expected)
    with storage.open(shard) as stream:
        for item in read_shard(stream, name, limits):
            rows = expected.get(item.key)
            if isinstance(item, Reject):
                yield f"{shard}: {item.key or 'the archive'} is damaged: {item.reason}, {item.detail}"
            elif rows is None:
                yield f"{shard}: {item.key} was not written by the run"
            else:
                missing.pop(item.key, None)
                yield from _sample(shard, item, rows)
            if isinstance(item, Reject):
                missing.pop(item.key, None)
    yield from (f"{shard}: {key} is missing" for key in missing)


def _sample(shard: str, sample: Sample, rows: list[Decision]) -> Iterator[str]:
    if hashlib.sha256(sample.image).hexdigest() != rows[0].image_sha256_after:
        yield f"{shard}: {sample.key} has another image"
    if sample.captions != tuple(row.caption_after for row in rows):
        yield f"{shard}: {sample.key} has other captions"
