"""What is kept of a finished cell of an experiment, as small as it can be."""

from __future__ import annotations

from flows.cells import identity
from flows.plan import Cell


def summary(cell: Cell) -> dict[str, object]:
    return {"cell": cell.name, "digest": identity(cell), "settings": {}, "seconds": 1, "verdict": {"status": "clean"}, "scores": {}}
