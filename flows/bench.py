"""The flow `srd-bench`: an experiment grid, one run of `srd` a cell. Finished cells are kept; what cells share is computed once.

Everything that does not depend on the suspect set (base, reference, policy, thresholds) has the same stage keys in all cells of a seed, and
all cells keep their stages in one place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from flows.plan import Cell, load_plan
from flows.srd import srd
from srd_core.data.manifest import digest
from srd_core.progress import track
from srd_core.report.grid import markdown
from srd_core.scenes.experiment import make


@flow(name="srd-bench", flow_run_name="bench {plan}", persist_result=False)
def bench(plan: str, out: str) -> list[dict[str, Any]]:
    """Run every cell of `plan` below the folder `out`; one summary a cell, also in `out/PLAN.json`, and all as a page in `out/PLAN.md`.

    Raises:
        ConfigError: as `load_plan`.
    """
    folder = Path(out)
    summaries = []
    cells = load_plan(plan).cells()
    for cell in track(cells, f"cells of {plan}", total=len(cells)):
        summaries.append(run_cell(cell, folder))
        name = Path(plan).stem
        (folder / f"{name}.json").write_text(json.dumps(summaries, indent=1))
        (folder / f"{name}.md").write_text(markdown(f"Results: {name}", f"srd bench {name}", summaries))
    return summaries


def run_cell(cell: Cell, folder: Path) -> dict[str, Any]:
    """The summary of one cell, from its folder if it has been run with the same settings."""
    place = folder / "cells" / cell.name
    summary = place / "cell.json"
    mark = digest(cell)
    if summary.exists():
        known: dict[str, Any] = json.loads(summary.read_text())
        if known["digest"] == mark and (place / "sink" / "MANIFEST.json").exists():
            get_run_logger().info("cell %s is there already", cell.name)
            return known
    data = make(cell.experiment, folder / "data" / digest(cell.experiment)[:16])
    overrides = [*data.overrides(cell.experiment), f"work={folder / 'stages'}", *cell.settings]
    verdict = srd(str(data.source), str(place / "sink"), str(data.trusted), profile=cell.profile, overrides=overrides)
    scores = json.loads((place / "sink" / "scores.json").read_text())
    made = {"cell": cell.name, "digest": mark, "settings": cell.model_dump(mode="json"), "verdict": verdict, "scores": scores}
    summary.write_text(json.dumps(made, indent=1))
    return made
