"""The flow `srd-bench`: an experiment grid, one run of `srd` a cell. Finished cells are kept; what cells share is computed once.

Everything that does not depend on the suspect set (base, reference, policy, thresholds) has the same stage keys in all cells of a seed, and
all cells keep their stages in one place. Started again beside itself with the same folder, it takes the cells that nobody is at.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.plan import Cell, Plan, load_plan, load_size
from flows.size import Size
from flows.srd import srd
from flows.summary import write
from srd_core.data.manifest import digest
from srd_core.progress import track

Made = dict[str, Any]


@flow(name="srd-bench", flow_run_name="bench {plan}", persist_result=False)
def bench(
    plan: str, out: str, size: str | None = None, data: str | None = None, seeds: Sequence[int] = (), attacks: Sequence[str] = ()
) -> list[Made]:
    """Run every cell of `plan` below the folder `out`; return one summary a cell.

    After each cell, what is known so far is written as `out/PLAN.json`, `.md`, `.csv` and charts.

    Args:
        plan: name or file.
        out: folder.
        size: name or file of another size than the plan's own.
        data: folder of the shards, for sizes that need some.
        seeds: other seeds than the plan's own.
        attacks: other attacks than the plan's own.

    Raises:
        ConfigError: as `load_plan` and `load_size`.
    """
    wanted = load_plan(plan)
    at = load_size(size or wanted.size, data)
    return run_cells(wanted, Path(plan).stem, at, wanted.cells(at, seeds, attacks), Path(out))


def run_cells(plan: Plan, name: str, size: Size, cells: Sequence[Cell], folder: Path) -> list[Made]:
    """The summaries of all cells that are finished in the end, which are all unless other processes are at some."""
    for cell in track(cells, f"cells of {name}", total=len(cells)):
        with _claimed(place_of(cell, folder)) as ours:
            if ours:
                run_cell(cell, folder)
            else:
                get_run_logger().info("cell %s is being made by another process", cell.name)
        write(plan, name, size, finished(cells, folder), folder)
    return finished(cells, folder)


def finished(cells: Sequence[Cell], folder: Path) -> list[Made]:
    """Summaries of the cells that have been run with the same settings."""
    return [made for cell in cells if (made := _summary(cell, folder)) is not None]


def run_cell(cell: Cell, folder: Path) -> Made:
    """The summary of one cell, from its folder if it is finished."""
    known = _summary(cell, folder)
    if known is not None:
        get_run_logger().info("cell %s is there already", cell.name)
        return known
    place, started = place_of(cell, folder), time.time()
    where = folder / "data" / digest(cell.experiment)[:16]
    with _claimed(where, wait=True):  # cells of several variants have the same data
        data = cell.experiment.make(where)
    overrides = [*data.overrides(), f"work={folder / 'stages'}", *cell.settings]
    verdict = srd(data.source, str(place / "sink"), data.trusted, profile=cell.profile, overrides=overrides)
    scores = json.loads((place / "sink" / "scores.json").read_text())
    about = {"cell": cell.name, "digest": digest(cell), "settings": cell.model_dump(mode="json"), "seconds": round(time.time() - started)}
    made = {**about, "verdict": verdict, "scores": scores}
    (place / "cell.json").write_text(json.dumps(made, indent=1))
    return made


def place_of(cell: Cell, folder: Path) -> Path:
    """Where a cell is kept: plans share one where all its settings are the same, and only there, since a sink belongs to one run."""
    return folder / "cells" / f"{cell.name}-{digest(cell)[:8]}"


def _summary(cell: Cell, folder: Path) -> Made | None:
    place = place_of(cell, folder)
    if not (place / "cell.json").exists() or not (place / "sink" / "MANIFEST.json").exists():
        return None
    known: Made = json.loads((place / "cell.json").read_text())
    return known if known["digest"] == digest(cell) else None


@contextmanager
def _claimed(place: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process may work on that folder; one that waits may in the end. A claim ends with its process, however that ends."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".claim").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
