"""The decisions of a finished run, read from its sink: local or S3, shard by shard."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from srd_core.data.decisions import Decision, read_decisions
from srd_core.stages.seal import Statement
from srd_core.storage import open_storage


def decided(sink: str) -> Iterator[Decision]:
    """Every row that the manifest vouches for, in the order of the shards' names.

    Raises:
        SourceError: the run has not finished, or a file is not what it was.
    """
    storage = open_storage(sink)
    names = [subject.name for subject in Statement.read(storage).subject if subject.name.startswith("decisions/")]
    for name in sorted(names):
        with tempfile.TemporaryDirectory(prefix="srd-decided-") as folder:
            yield from read_decisions(storage.fetch(name, Path(folder)))
