"""Every detector of a grid against the truth, as Markdown and as CSV: how well its score separates, and what its decisions were worth."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from srd_core.report.grid_cells import Cell, about, figure, ordered
from srd_core.report.over_seeds import combined, table

_FIGURES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "precision": "precision",
    "recall": "recall as decided",
    "f1": "F1",
    "recall_at_half_percent": "recall at 0.5 % false positives",
    "recall_at_one_percent": "at 1 %",
    "kept_clean": "clean pairs kept",
}

Found = dict[tuple[str, ...], list[Mapping[str, Any]]]


def detection_tables(cells: Sequence[Cell]) -> list[str]:
    """A heading and a row an attack, rate, variant and score, over seeds."""
    rows = [
        (*key, str(len(own)), *(figure(name, [row.get(name) for row in own]) for name in _FIGURES)) for key, own in _by_score(cells).items()
    ]
    head = ("attack", "rate", "variant", "score", "seeds", *_FIGURES.values())
    return ["## Detection (pairs, against the truth)", table(head, rows)]


def detection_csv(cells: Sequence[Cell]) -> str:
    """One line a figure, fractions; figures that are not known are left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("attack", "rate", "variant", "score", "figure", "value", "low", "high", "seeds"))
    for key, own in _by_score(cells).items():
        for name in _FIGURES:
            known = [row[name] for row in own if row.get(name) is not None]
            found = combined(known, name)
            if found is not None:
                writer.writerow((*key, name, *(f"{part:.6g}" for part in (found.value, found.low, found.high)), len(known)))
    return text.getvalue()


def _by_score(cells: Sequence[Cell]) -> Found:
    groups: Found = {}
    for cell in cells:
        for name, found in cell["scores"]["detection"].items():
            groups.setdefault((*about(cell), name), []).append(found)
    return dict(ordered(groups))
