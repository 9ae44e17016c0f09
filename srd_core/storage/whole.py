"""Local files that are there whole or not at all: written beside their place, then put there in one step, for others may read meanwhile.

Not flushed to disk, so a crash of the machine may undo it; what a run hands on goes through `LocalStorage`. A process that is killed
leaves a hidden `.NAME.*.tmp`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srd_core.storage.base import short


@contextmanager
def replaced(place: Path) -> Iterator[Path]:
    """A path beside `place` to write to; what is there at the end takes the place. After a failure nothing is left of it."""
    beside = place.with_name(f".{short(place.name)}.{uuid.uuid4().hex}.tmp")
    try:
        yield beside
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
