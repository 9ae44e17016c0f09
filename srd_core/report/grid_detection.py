"""Every detector of a grid against the truth, as Markdown and as CSV: how well its score separates, and what its decisions were worth."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from srd_core.report.grid_cells import Cell, figure, naming, of_same_images, ordered
from srd_core.report.names import detector
from srd_core.report.over_seeds import combined, table

_OF_SCORES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "recall_at_half_percent": "recall at 0.5 % false positives",
    "recall_at_one_percent": "at 1 %",
}
_OF_DECISIONS = {"precision": "precision", "recall": "recall", "f1": "F1", "kept_clean": "clean pairs kept"}
_FIGURES = ("auroc", "average_precision", "precision", "recall", "f1", "recall_at_half_percent", "recall_at_one_percent", "kept_clean")
"""Of the CSV, in its order."""

Found = dict[tuple[str, ...], list[Mapping[str, Any]]]


def detection_tables(cells: Sequence[Cell]) -> list[str]:
    """What the arms' decisions were worth, and how well each score by itself separates; a row an attack, rate and variant, over seeds."""
    by_score = _by_score(cells)
    if not by_score:
        return []
    by_arm: Found = {}
    for (*place, score), own in by_score.items():
        arm, _, unit = detector(score)
        by_arm.setdefault((*place, arm + unit), own)
    same, about_cell = of_same_images(cells), ("attack", "rate", "variant")
    return [
        "## Detection (pairs, against the truth)",
        "As decided:",
        table((*about_cell, "decided by", "seeds", *_OF_DECISIONS.values()), _rows(by_arm, _OF_DECISIONS, same)),
        "By each score alone:",
        table((*about_cell, "score", "seeds", *_OF_SCORES.values()), _rows(by_score, _OF_SCORES, same)),
    ]


def _rows(found: Found, figures: Mapping[str, str], same: bool) -> list[Sequence[str]]:
    return [
        (*key, str(len(own)), *(figure(name, [row.get(name) for row in own], same_images=same) for name in figures))
        for key, own in found.items()
    ]


def detection_csv(cells: Sequence[Cell]) -> str:
    """One line a figure, fractions; figures that are not known are left out."""
    text, same = io.StringIO(), of_same_images(cells)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("attack", "rate", "variant", "score", "figure", "value", "low", "high", "seeds"))
    for key, own in _by_score(cells).items():
        for name in _FIGURES:
            known = [row[name] for row in own if row.get(name) is not None]
            found = combined(known, name, same_images=same)
            if found is not None:
                writer.writerow((*key, name, *(f"{part:.6g}" for part in (found.value, found.low, found.high)), len(known)))
    return text.getvalue()


def _by_score(cells: Sequence[Cell]) -> Found:
    groups: Found = {}
    name_of = naming(cells)
    for cell in cells:
        for name, found in cell["scores"]["detection"].items():
            groups.setdefault((*name_of(cell), name), []).append(found)
    return dict(ordered(groups))
