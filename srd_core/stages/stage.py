"""What a stage is, and the one way in which it is executed: look for a verified result, else compute, store, record.

A stage's key is the digest of its name, the code that it can reach, the configuration it reads and the digests of its inputs.
Its outputs live under `stages/NAME/KEY/` of the work storage (or where it publishes them at the sink), its record beside them.
A record counts only if every output is still there with its digest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from srd_core.config import Config
from srd_core.data.manifest import FileRef, StageManifest, canonical_json, digest
from srd_core.errors import ConflictError
from srd_core.progress import stage as progress_stage
from srd_core.stages.bystanders import STAGES
from srd_core.stages.code import check_unedited, code_digest
from srd_core.stages.libraries import libraries
from srd_core.storage import Storage, is_remote, open_storage
from srd_core.storage.base import file_digest, is_key

Inputs = Mapping[str, StageManifest]


@dataclass(frozen=True)
class Run:
    """One run: what it reads, where it writes, how. Holds references only, so that it travels between processes."""

    source: str
    sink: str
    trusted: str
    config: Config

    @cached_property
    def sink_storage(self) -> Storage:
        """Where results are handed back."""
        return open_storage(self.sink)

    @cached_property
    def work_storage(self) -> Storage:
        """Where stages are kept."""
        return open_storage(self.config.work or f"{self.sink.rstrip('/')}/{STAGES}")


@dataclass(frozen=True)
class Outcome:
    """What a stage made: files by name (a name is also the key below the stage's folder), facts as JSON-ready data."""

    files: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


Details = Mapping[str, Any]
Work = Callable[[Run, Inputs, Details, Path], Outcome]


@dataclass(frozen=True)
class Stage:
    """A named step.

    Args:
        name: stable; part of the key and of the path.
        work: computes the outcome of (run, inputs, details) in a scratch folder; details say which of many alike (an arm, a shard).
        reads: dotted configuration keys that the work reads; nothing else of the configuration may influence it.
        publishes: files go to the sink under their own names instead of the stage's folder.
        named: digests of the files that the configuration only names (a saved model, a list), so that new content is noticed.
        made_of: what tells results apart of the inputs and the details, where that is less than all of both.
    """

    name: str
    work: Work
    reads: tuple[str, ...] = ()
    publishes: bool = False
    named: Callable[[Run], Mapping[str, str]] | None = None
    made_of: Callable[[Inputs, Details], Mapping[str, Any]] | None = None

    def key(self, run: Run, inputs: Inputs, details: Details) -> str:
        """Hex digest that identifies the result."""
        return digest(
            {
                "stage": self.name,
                "code": code_digest(self.work.__module__),
                "config": run.config.slice(self.reads),
                **(self.made_of or everything)(inputs, details),
                "named": dict(self.named(run)) if self.named else {},
                "sink": run.sink_storage.uri if self.publishes else "",
            }
        )

    def recorded(self, run: Run, key: str) -> StageManifest | None:
        """What the record of `key` says was made, whether or not it is still there."""
        place = self._record(key)
        if run.work_storage.stat(place) is None:
            return None
        try:
            record = StageManifest.model_validate_json(run.work_storage.read_bytes(place))
        except ValidationError:  # altered or from another version: made again
            return None
        if (record.stage, record.key) != (self.name, key):
            return None
        return record if all(_ours(run, name, ref) for name, ref in record.outputs.items()) else None

    @staticmethod
    def intact(manifest: StageManifest) -> bool:
        """Whether every output is still what its record says."""
        return all(_intact(ref) for ref in manifest.outputs.values())

    def find(self, run: Run, key: str) -> StageManifest | None:
        """The recorded result, if it is intact."""
        manifest = self.recorded(run, key)
        return manifest if manifest is not None and self.intact(manifest) else None

    def execute(self, run: Run, inputs: Inputs, details: Details) -> StageManifest:
        """The result: found and verified, or made now, unless another process is making it: then its result.

        Raises:
            ConflictError: what makes it, code or files that the configuration names, was edited meanwhile. SrdError: as the work.
        """
        key = self.key(run, inputs, details)
        found = self.find(run, key)
        if found is not None:
            return found
        with run.work_storage.alone(self._record(key)):
            return self.find(run, key) or self._make(run, key, inputs, details)

    def _make(self, run: Run, key: str, inputs: Inputs, details: Details) -> StageManifest:
        check_unedited(self.work.__module__, f"stage {self.name}")
        with tempfile.TemporaryDirectory(prefix=f"srd-{self.name}-") as scratch, progress_stage(self.name):
            outcome = self.work(run, inputs, details, Path(scratch))
            check_unedited(self.work.__module__, f"stage {self.name}")
            if self.key(run, inputs, details) != key:
                problem = f"a file that the configuration names has changed while stage {self.name} was made of it"
                raise ConflictError(problem, hint="Nothing of it is recorded. Start again when nobody writes there")
            outputs = {name: self._store(run, key, name, path) for name, path in sorted(outcome.files.items())}
        manifest = StageManifest(
            stage=self.name,
            key=key,
            inputs={name: identity(item) for name, item in inputs.items()},
            outputs=outputs,
            facts=dict(outcome.facts),
            libraries=libraries(),
        )
        record = canonical_json(manifest)
        run.work_storage.put_bytes(self._record(key), record, overwrite=True)
        return StageManifest.model_validate_json(record)  # as a later run finds it, to the order of keys

    def _record(self, key: str) -> str:
        return f"{self.name}/{key[:16]}.json"

    def _store(self, run: Run, key: str, name: str, path: Path) -> FileRef:
        storage = run.sink_storage if self.publishes else run.work_storage
        place = name if self.publishes else f"{self.name}/{key[:16]}/{name}"
        storage.put_file(place, path, overwrite=True)
        return FileRef(uri=f"{storage.uri}/{place}", size=path.stat().st_size, sha256=file_digest(path))


def everything(inputs: Inputs, details: Details) -> dict[str, Any]:
    """Each input's content under its name, and all details."""
    return {"inputs": {name: identity(manifest) for name, manifest in sorted(inputs.items())}, "details": dict(details)}


def identity(manifest: StageManifest) -> str:
    """Digest of what a stage handed on: the content of its files wherever they lie, or its key when it has none."""
    files = {name: ref.sha256 for name, ref in manifest.outputs.items()}
    return digest({"stage": manifest.stage, "files": files} if files else {"key": manifest.key})


def locate(ref: FileRef) -> tuple[Storage, str]:
    """The storage that holds a file, and the file's key in it."""
    folder, _, name = ref.uri.rpartition("/")
    return open_storage(folder), name


def _ours(run: Run, name: str, ref: FileRef) -> bool:
    """Whether a run could have stored that output; a record that names files elsewhere was written by somebody else."""
    return is_key(name) and any(within(ref.uri, storage.uri) for storage in (run.work_storage, run.sink_storage))


def within(place: str, home: str) -> bool:
    """Whether a place is `home` or below it, whichever links lead there."""
    if is_remote(place) or is_remote(home):
        return f"{place}/".startswith(f"{home}/")
    return Path(place).resolve().is_relative_to(Path(home).resolve())


def _intact(ref: FileRef) -> bool:
    storage, name = locate(ref)
    info = storage.stat(name)
    return info is not None and info.size == ref.size and storage.digest(name) == ref.sha256
