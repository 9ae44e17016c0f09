"""What is kept of a finished cell of an experiment, as small as it can be for pages to be made of it."""

from __future__ import annotations

from flows.cells import identity
from flows.plan import Cell


def summary(cell: Cell) -> dict[str, object]:
    about = {"cell": cell.name, "digest": identity(cell), "settings": cell.model_dump(mode="json"), "seconds": 1}
    return {**about, "verdict": {"status": "clean"}, "scores": {"models": [], "detection": {}, "policy": {}}}
