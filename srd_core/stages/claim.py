"""A sink belongs to one run: the first to write RUN.json there. The same run may come again, to go on; any other is told.

Written with the storage's own create-if-absent, so of many that start together exactly one wins, and results of two never mix. It is the
run's alone: no input lies in it, since an output of the same name would take its place, nor anything else that no run wrote there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from srd_core import __version__
from srd_core.data.manifest import StageManifest, canonical_json
from srd_core.errors import ClaimedError, ConfigError, ConflictError, StorageError, TransientStorageError
from srd_core.stages.bystanders import STAGES, is_harmless, is_on_the_way
from srd_core.stages.difference import difference
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Run, within
from srd_core.storage import Storage, is_remote, open_storage

NAME = "RUN.json"
WITHOUT_EFFECT = {"work", "workers"}
"""Configuration keys that change where and how fast, not what."""

_SHOWN = 60
"""Characters of a stranger's name in a message."""
_LONGEST = 2**20
"""Bytes of a RUN.json."""


def claim(run: Run, inputs: Mapping[str, StageManifest]) -> None:
    """Make the sink this run's own.

    Args:
        run: the run.
        inputs: its inventories, by role.

    Raises:
        ConfigError: an input lies in it, or results of stages that no run has claimed; or `work` lies in a run's sink, this one's or
            another's, elsewhere than in `stages/`.
        ClaimedError: it is another run's, and the message says in what they differ; or it lies in one that is; or it is no run's and not
            empty, where files that are harmless do not count.
    """
    sink = run.sink_storage
    if sink.stat(NAME) is None and (outer := _sink_above(sink.uri)):
        raise ClaimedError(f"{sink.uri} lies in {outer}, which is another run's sink", hint="Choose a sink outside of it")
    for role, manifest in inputs.items():
        for shard in shards_of(manifest):
            if within(shard.uri, sink.uri):
                raise ConfigError(
                    f"the sink {sink.uri} holds {shard.uri}/{shard.key}, a shard of {role}, which an output could replace",
                    hint="Choose a sink beside the inputs",
                )
    _check_work(run.work_storage.uri, sink.uri)
    if not run.config.work and run.work_storage.list() and sink.stat(NAME) is None:
        problem = f"{sink.uri} holds stages/ but no {NAME}: what lies there is no run's, and would be taken for this one's"
        raise ConfigError(problem, hint="Choose another sink, or remove that folder if you know where it comes from")
    stranger = next(_strangers(run), "") if sink.stat(NAME) is None else ""
    if stranger and sink.stat(NAME) is None:  # the same run, started twice, may have come first and written there
        hint = "Choose another sink, such as a new folder in it, or remove what lies there"
        raise ClaimedError(f"{sink.uri} holds {stranger[:_SHOWN]!a}, and no {NAME}: a run has its sink to itself", hint=hint)
    mine = _content(run, inputs)
    try:
        sink.put_bytes(NAME, canonical_json(mine))
    except ConflictError as error:
        hint = f"Choose another sink; if that run was yours, `--set work={run.work_storage.uri}` uses what it has computed"
        different = _difference(_told(sink), mine)
        raise ClaimedError(f"{sink.uri} belongs to a run that is different in {different}", hint=hint) from error


def _check_work(work: str, sink: str) -> None:
    if within(work, sink) and not within(work, f"{sink}/{STAGES}"):
        hint = f"Leave work out, which keeps it in {sink}/{STAGES}, or name a place outside of the sink"
        raise ConfigError(f"work is {work}, which lies in the sink among what is handed back", hint=hint)
    outer = _sink_above(f"{work}/{STAGES}")  # the work itself may be one
    if outer and not within(work, f"{outer}/{STAGES}"):
        hint = f"Leave work out, or name {outer}/{STAGES}, to use what that run has computed, or another place"
        raise ConfigError(f"work is {work}, which lies in {outer} among what another run hands back", hint=hint)


def _sink_above(uri: str) -> str:
    """The nearest folder above that is a run's sink; empty if none is, as far as they can be read: a key may open one prefix alone."""
    scheme = "s3://" if is_remote(uri) else ""
    whole = PurePosixPath(uri.removeprefix(scheme)) if scheme else Path(uri).resolve()
    for parent in whole.parents:
        try:
            if parent.name and "configuration" in _read(_told(open_storage(f"{scheme}{parent}"))):
                return f"{scheme}{parent}"
        except TransientStorageError:
            raise
        except StorageError:
            continue
    return ""


def _strangers(run: Run) -> Iterator[str]:
    """Names of what lies in the sink, beside what is computed on the way and files that are harmless."""
    sink = run.sink_storage
    for name in sink.names():
        on_the_way = is_on_the_way(name) and within(f"{sink.uri}/{name}", run.work_storage.uri)
        if not on_the_way and not (is_harmless(name) and _is_file(sink, name)):
            yield name


def _is_file(sink: Storage, name: str) -> bool:
    """Whether it is one that the sink lists: no link to a folder or out of the sink, and no special file."""
    try:
        return sink.stat(name) is not None
    except TransientStorageError:
        raise
    except StorageError:
        return False


def claimed(run: Run, inputs: Mapping[str, StageManifest]) -> bytes:
    """RUN.json as `claim` writes it."""
    return canonical_json(_content(run, inputs))


def _content(run: Run, inputs: Mapping[str, StageManifest]) -> dict[str, Any]:
    return {
        "srd": __version__,
        "inputs": {role: manifest.key for role, manifest in sorted(inputs.items())},
        "configuration": run.config.model_dump(mode="json", exclude=WITHOUT_EFFECT),
    }


def _told(sink: Storage) -> bytes:
    """What lies there as RUN.json; nothing if it is too long to be one."""
    there = sink.stat(NAME)
    return sink.read_bytes(NAME) if there is not None and there.size <= _LONGEST else b""


def _read(told: bytes) -> dict[str, Any]:
    try:
        there = json.loads(told)
    except (ValueError, RecursionError):
        return {}
    return there if isinstance(there, dict) else {}


def _difference(theirs: bytes, mine: Mapping[str, Any]) -> str:
    there = _read(theirs)
    return difference(there, mine) if there else f"that its {NAME} cannot be read"
