"""What a grid leaves for people and programs: `PLAN.json`, `PLAN.md`, `PLAN-detection.csv`, pictures of where models look, and with a
comparison `PLAN.csv` and charts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.cells import put
from flows.plan import Plan
from flows.sheets import attention_sheets
from flows.size import Size
from srd_core.report.charts import drawn
from srd_core.report.comparison import Entry, entries
from srd_core.report.comparison_page import as_csv, as_markdown
from srd_core.report.grid import markdown
from srd_core.report.grid_detection import detection_csv

_COLUMNS = (
    "A row a test image with the trigger, which is framed: the image, the clean model's map for the target, the backdoored model's, and "
    "the backdoored model's for another word of the caption.\n"
)


def write(plan: Plan, name: str, size: Size, cells: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Everything that `cells`, those that are finished, say so far."""
    put(folder / f"{name}.json", json.dumps(cells, indent=1))
    first = ""
    if plan.comparison:
        comparison = plan.comparison.model_copy(update={"test_sets": size.test_sets})
        figures = dict.fromkeys((*comparison.figures, *(name for chart in plan.charts for name in chart.figures)))
        found = entries(comparison.model_copy(update={"figures": tuple(figures)}), cells)
        put(folder / f"{name}.csv", as_csv(found))
        first = as_markdown(comparison, found) + _charts(plan, name, found, folder)
    title = plan.title or f"Results: {name}"
    put(folder / f"{name}-detection.csv", detection_csv(cells))
    page = markdown(title, f"srd bench {name}", cells, first)
    put(folder / f"{name}.md", page + _pictures(attention_sheets(name, cells, folder)))


def _pictures(sheets: Sequence[str]) -> str:
    """The end of the page: what the pictures show, and their places."""
    if not sheets:
        return ""
    shown = [f"![{sheet.removesuffix('.png').replace('-', ' ')}]({sheet})" for sheet in sheets]
    return "\n".join(["\n## Where the models look (Figure 2)\n", _COLUMNS, *shown, ""])


def _charts(plan: Plan, name: str, found: Sequence[Entry], folder: Path) -> str:
    """The charts, written; returns their places in the page."""
    places = []
    for chart in plan.charts:
        for what, svg in drawn(chart, found).items():
            put(folder / f"{name}-{what}.svg", svg)
            places.append(f"![{what.replace('-', ' ')}]({name}-{what}.svg)")
    return "\n\n" + "\n".join(places) if places else ""
