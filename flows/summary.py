"""What a grid leaves for people and programs: `PLAN.json`, `PLAN.md`, `PLAN-detection.csv`, pictures of where models look, and with a
comparison `PLAN.csv` and charts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.cells import put
from flows.plan import Plan
from flows.sheets import attention_sheets
from flows.size import Size
from srd_core.report.charts import drawn
from srd_core.report.comparison import Comparison, Entry, entries
from srd_core.report.comparison_page import as_csv, as_markdown
from srd_core.report.grid import markdown
from srd_core.report.grid_detection import detection_csv

_COLUMNS = (
    "A row a test image with the trigger, which is framed: the image, the clean model's map for the target, the backdoored model's, and "
    "the backdoored model's for an honest word, of what it says of the image without the trigger.\n"
)


@dataclass(frozen=True)
class Pages:
    """Where they are: `name` begins the name of every file in `folder`; `command` makes them."""

    plan: Plan
    name: str
    size: Size
    command: str
    folder: Path

    def write(self, cells: Sequence[Mapping[str, Any]]) -> None:
        """Everything that `cells`, those that are finished, say so far."""
        self._put(".json", json.dumps(cells, indent=1))
        first = self._compared(self.plan.comparison, cells) if self.plan.comparison else ""
        self._put("-detection.csv", detection_csv(cells))
        page = markdown(self.plan.title or f"Results: {self.name}", self.command, cells, first)
        self._put(".md", page + _pictures(attention_sheets(self.name, cells, self.folder)))

    def _compared(self, wanted: Comparison, cells: Sequence[Mapping[str, Any]]) -> str:
        """The comparison as CSV and charts, written; returns it as Markdown."""
        comparison = wanted.model_copy(update={"test_sets": self.size.test_sets})
        figures = dict.fromkeys((*comparison.figures, "asr_raw", *(name for chart in self.plan.charts for name in chart.figures)))
        found = entries(comparison.model_copy(update={"figures": tuple(figures)}), cells)
        self._put(".csv", as_csv(found))
        return as_markdown(comparison, found) + self._charts(found)

    def _charts(self, found: Sequence[Entry]) -> str:
        """The charts, written; returns their places in the page."""
        places = []
        for chart in self.plan.charts:
            for what, svg in drawn(chart, found).items():
                self._put(f"-{what}.svg", svg)
                places.append(f"![{what.replace('-', ' ')}]({self.name}-{what}.svg)")
        return "\n\n" + "\n".join(places) if places else ""

    def _put(self, ending: str, content: str) -> None:
        put(self.folder / f"{self.name}{ending}", content)


def _pictures(sheets: Sequence[str]) -> str:
    """The end of the page: what the pictures show, and their places."""
    if not sheets:
        return ""
    shown = [f"![{sheet.removesuffix('.png').replace('-', ' ')}]({sheet})" for sheet in sheets]
    return "\n".join(["\n## Where the models look (Figure 2)\n", _COLUMNS, *shown, ""])
