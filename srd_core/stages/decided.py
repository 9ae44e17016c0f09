"""The decisions of a finished run, read from its sink: local or S3, shard by shard."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from srd_core.data.decisions import Decision, read_decisions
from srd_core.errors import SourceError, VerificationError
from srd_core.stages.seal import Statement
from srd_core.storage import open_storage
from srd_core.storage.base import file_digest

FLAGGED = "flagged.parquet"
"""What evidence would have done, as rows of decisions, where something else is handed back: the pairs that the verdict speaks of."""


def decided(sink: str, *, flagged: bool = False) -> Iterator[Decision]:
    """Every row that the manifest vouches for, in the order of the shards' names; or those of `FLAGGED`.

    Raises:
        SourceError: the run has not finished, or left no `FLAGGED`.
        VerificationError: a file is missing or not what it was; none of its rows is handed out.
    """
    storage = open_storage(sink)
    wanted = FLAGGED if flagged else "decisions/"
    subjects = [subject for subject in Statement.read(storage).subject if subject.name.startswith(wanted)]
    if flagged and not subjects:
        hint = "A run leaves it whose cleanse.mode is not evidence, with evidence among retrain.arms"
        raise SourceError(f"{sink} has no {FLAGGED}", hint=hint)
    for subject in sorted(subjects, key=lambda subject: subject.name):
        if storage.stat(subject.name) is None:
            hint = f"`srd verify {sink}` names everything that is missing or differs"
            raise VerificationError(f"{subject.name} of {sink} is missing", hint=hint)
        with tempfile.TemporaryDirectory(prefix="srd-decided-") as folder:
            local = storage.fetch(subject.name, Path(folder))
            if file_digest(local) != subject.digest.sha256:
                hint = f"Do not rely on it; `srd verify {sink}` names everything that differs"
                raise VerificationError(f"{subject.name} of {sink} is not what the run wrote", hint=hint)
            yield from read_decisions(local)
