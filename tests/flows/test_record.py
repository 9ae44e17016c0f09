"""What a cell's record must hold: whatever is damaged in one is found before pages are made of it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from flows.cells import adopt, finished, keep, offered, place_of
from flows.plan_files import load_plan
from flows.record import fault
from flows.size import Size
from srd_core.scoring.scores import ModelScores

PUBLISHED = Path(__file__).parents[2] / "docs" / "results" / "paper" / "table1.json"
FIGURES = [name for name, field in ModelScores.model_fields.items() if "Interval" in str(field.annotation)]


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return json.loads(PUBLISHED.read_text())


def test_published_records_are_whole(records: list[dict[str, Any]]) -> None:
    assert [fault(record) for record in records] == [""] * len(records)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "figure", [{}, "x", [1], {"value": float("nan"), "low": 0, "high": 1, "n": 2}, {"value": 0.5, "low": 0, "high": 1}]
)
def test_no_figure_of_a_model_is_passed_over(records: list[dict[str, Any]], name: str, figure: object) -> None:
    record = copy.deepcopy(records[0])
    record["scores"]["models"][0][name] = figure
    assert fault(record).startswith(f"scores.models.0.{name}")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("settings", "experiment", "rate"), float("inf")),
        (("scores", "done", "none", "clean", "keep"), 10**400),
        (("scores", "attention"), {"boxed": True}),
        (("scores", "attention", "backdoored"), {}),
        (("scores", "detection", "evidence/nll_max", "auroc"), {}),
    ],
)
def test_other_parts(records: list[dict[str, Any]], keys: tuple[str, ...], value: object) -> None:
    record = part = copy.deepcopy(next(record for record in records if record["scores"]["detection"]))
    for key in keys[:-1]:
        part = part.setdefault(key, {})
    part[keys[-1]] = value
    assert fault(record)


def test_a_damaged_one_that_was_taken_over_makes_room_for_a_whole_one(records: list[dict[str, Any]], tmp_path: Path) -> None:
    """Regression: an earlier version had adopted it, pages failed on it, and no other was looked at any more."""
    cell = next(cell for cell in load_plan("table1").cells(Size()) if cell.name == records[0]["cell"])
    damaged = copy.deepcopy(records[0])
    damaged["scores"]["models"][0]["cider"] = {}
    keep(cell, {**damaged, "adopted": "damaged.json"}, tmp_path)
    assert finished([cell], tmp_path) == []
    adopt(offered([PUBLISHED]), [cell], tmp_path)
    assert finished([cell], tmp_path) == [{**records[0], "adopted": "table1.json"}]
    assert place_of(cell, tmp_path).is_dir()
