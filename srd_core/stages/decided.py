"""The decisions of a finished run, read from its sink: local or S3, shard by shard."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from srd_core.data.decisions import Decision, read_decisions
from srd_core.errors import VerificationError
from srd_core.stages.seal import Statement
from srd_core.storage import open_storage
from srd_core.storage.base import file_digest


def decided(sink: str) -> Iterator[Decision]:
    """Every row that the manifest vouches for, in the order of the shards' names.

    Raises:
        SourceError: the run has not finished. VerificationError: a file is not what it was; none of its rows is handed out.
    """
    storage = open_storage(sink)
    subjects = [subject for subject in Statement.read(storage).subject if subject.name.startswith("decisions/")]
    for subject in sorted(subjects, key=lambda subject: subject.name):
        with tempfile.TemporaryDirectory(prefix="srd-decided-") as folder:
            local = storage.fetch(subject.name, Path(folder))
            if file_digest(local) != subject.digest.sha256:
                hint = f"Do not rely on it; `srd verify {sink}` names everything that differs"
                raise VerificationError(f"{subject.name} of {sink} is not what the run wrote", hint=hint)
            yield from read_decisions(local)
