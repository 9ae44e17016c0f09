"""The flow `srd-bench`: an experiment grid, one run of `srd` a cell. Finished cells are kept; what cells share is computed once.

Everything that does not depend on the suspect set (base, reference, policy, thresholds) has the same stage keys in all cells of a seed, and
all cells keep their stages in one place. Several cells are run at once, each in a process with workers of its own: much of a cell waits for
one thing, such as the policy. What two of them need, one makes and the other waits for. Started again beside itself with the same folder,
it takes the cells that nobody is at.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed

from flows.cells import Made, claimed, configuration, finished, identity, keep, known, place_of, recorded
from flows.plan import Cell
from flows.plan_files import cells_of, pages_name
from flows.srd import srd
from flows.summary import Pages
from srd_core.config import quoted
from srd_core.errors import ClaimedError
from srd_core.experiments.planted import ExperimentData
from srd_core.places import about_place
from srd_core.progress import everything_about, stage, track
from srd_core.stages.origin import origin
from tasks.workers import workers


@flow(name="srd-bench", flow_run_name="bench {plan}", persist_result=False)
def bench(
    plan: str,
    out: str,
    size: str | None = None,
    data: str | None = None,
    seeds: Sequence[int] = (),
    attacks: Sequence[str] = (),
    at_once: int = 2,
) -> list[Made]:
    """Run every cell of `plan` below the folder `out`; return one summary a cell.

    After each cell, what is known so far is written as `out/PLAN.json`, `.md`, `.csv` and charts; at another
    size than the plan's own as `out/PLAN-SIZE.json` and so on.

    Args:
        plan: name or file.
        out: folder.
        size: name or file of another size than the plan's own.
        data: folder of the shards, for sizes that need some.
        seeds: other seeds than the plan's own.
        attacks: other attacks than the plan's own.
        at_once: cells.

    Raises:
        ConfigError: as `cells_of`.
    """
    wanted, at, cells = cells_of(plan, size, data, seeds, attacks)
    options = f"{f' --size {Path(size).name}' if size else ''}{' --data FOLDER' if data else ''}"
    pages = Pages(wanted, pages_name(plan, wanted, size), at, f"srd bench {Path(plan).name}{options}", Path(out))
    return run_cells(pages, cells, at_once)


def run_cells(pages: Pages, cells: Sequence[Cell], at_once: int) -> list[Made]:
    """The summaries of all cells that are finished in the end, which are all unless other processes are at some.

    Pages are about the plan's other cells too, as far as they are finished: whoever runs a part of a plan adds to its pages.
    """
    folder = pages.folder
    left = [cell for cell in cells if known(cell, folder) is None]
    shown = list({identity(cell): cell for cell in [*pages.plan.unchecked(pages.size), *cells]}.values())
    if len(left) < len(cells):
        pages.write(recorded(shown, folder))
    for _ in track(_ended(left, folder, at_once), f"cells of {pages.name}", total=len(left)):
        pages.write(recorded(shown, folder))
    return finished(cells, folder)


def _ended(left: Sequence[Cell], folder: Path, at_once: int) -> Iterator[Cell]:
    """Every cell, when it is finished or was found to be another process's; begun in order. The first that fails ends them all."""
    width = min(at_once, len(left))
    if width < 2:
        for cell in left:
            _run_if_free(cell, folder)
            yield cell
        return
    waiting, running = iter(left), dict[PrefectFuture[Any], Cell]()
    with workers(width) as runner:
        while True:
            for cell in islice(waiting, width - len(running)):  # all at once, they would be begun in any order
                running[runner.submit(_cell_task, {"cell": cell, "folder": folder})] = cell
            if not running:
                return
            future = next(as_completed(list(running)))
            future.result()
            yield running.pop(future)


def _run_if_free(cell: Cell, folder: Path) -> None:
    with claimed(place_of(cell, folder)) as ours, everything_about(cell.name):
        if ours:
            run_cell(cell, folder)


@task(name="cell", task_run_name="{cell.name}", persist_result=False, cache_policy=NO_CACHE)
def _cell_task(cell: Cell, folder: Path) -> None:
    _run_if_free(cell, folder)


def run_cell(cell: Cell, folder: Path) -> Made:
    """The summary of one cell, as it is known or made now."""
    made = known(cell, folder)
    if made is not None:
        return made
    sink, started, content = place_of(cell, folder) / "sink", time.time(), cell.experiment.content
    where = folder / "data" / cell.experiment.mark[:16]
    with claimed(where, wait=True), stage("data"), about_place(where):  # cells of several variants have the same data
        data = cell.experiment.make(where)
    verdict = _verdict(cell, data, sink, folder / "stages")
    scores = json.loads((sink / "scores.json").read_text())
    about = {"cell": cell.name, "digest": identity(cell), "settings": cell.model_dump(mode="json"), "configuration": configuration(cell)}
    made = {**about, "data": content, "seconds": round(time.time() - started), "origin": origin(), "verdict": verdict, "scores": scores}
    keep(cell, made, folder)
    return made


def _verdict(cell: Cell, data: ExperimentData, sink: Path, stages: Path) -> dict[str, Any]:
    """The run itself. A sink that another version left, or this one under another name of the folder, is begun again."""
    overrides = [*data.overrides(), f"work={quoted(stages)}", *cell.settings]
    run = partial(srd, data.source, str(sink), data.trusted, profile=cell.profile, overrides=overrides)
    try:
        return run()
    except ClaimedError:
        rmtree(sink)
        return run()
