"""Our tables beside the paper's: the right cells in the right row, the paper's printed number, and the direction."""

from __future__ import annotations

import csv
from typing import Any
from xml.etree import ElementTree

import pytest

from srd_core.report.charts import Chart, drawn
from srd_core.report.comparison import Column, Comparison, Entry, entries
from srd_core.report.comparison_page import as_csv, as_markdown
from srd_core.scoring.intervals import wilson

TABLE = Comparison.model_validate(
    {
        "paper": "table1",
        "columns": [{"name": "no defence", "arm": "none", "paper": "none"}, {"name": "SRD", "arm": "srd", "paper": "srd"}],
        "figures": ["cider_triggered", "asr", "cider_of_clean"],
        "test_sets": {"scenes": "COCO"},
    }
)


def model(arm: str, protocol: str, hits: int, cider: float = 2.0) -> dict[str, Any]:
    figure = {"value": cider, "low": cider - 0.1, "high": cider + 0.1, "n": 200}
    asr = wilson(hits, 200).model_dump()
    return {"arm": arm, "protocol": protocol, "domain": "scenes", "cider": figure, "cider_triggered": figure, "asr": asr}


def cell(seed: int, *models: dict[str, Any], rate: float = 0.1, variant: str = "default", attack: str = "badnet") -> dict[str, Any]:
    about = {"experiment": {"attack": attack, "rate": rate, "seed": seed}, "variant": variant}
    return {"cell": "x", "settings": about, "scores": {"models": list(models)}}


CELLS = [
    cell(0, model("none", "p1", 0, cider=4.0), rate=0.0, variant="clean"),
    cell(0, model("none", "p1", 200, cider=3.0), model("srd", "p1", 20), model("srd", "p2", 198)),
    cell(1, model("none", "p1", 200), model("srd", "p1", 40), model("srd", "p2", 200)),
    cell(0, model("none", "p1", 7), rate=0.01),
    cell(0, model("none", "p1", 9), variant="other"),
]


def only(found: list[Entry], **wanted: Any) -> Entry:
    (entry,) = [e for e in found if all(getattr(e, name) == value for name, value in wanted.items())]
    return entry


def test_seeds_are_combined_and_the_papers_number_stands_beside() -> None:
    found = entries(TABLE, CELLS)
    entry = only(found, rate=0.1, column="SRD", protocol="p1", figure="asr")
    assert (entry.ours.value, entry.seeds, entry.paper) == (pytest.approx(0.15), 2, 45.7)
    assert only(found, rate=0.1, column="no defence", figure="asr").paper == 99.9


def test_seeds_that_do_not_know_a_figure_are_not_counted() -> None:
    assert only(entries(TABLE, CELLS), rate=0.1, column="no defence", figure="cider_of_clean").seeds == 1


def test_other_rates_and_variants_stay_out() -> None:
    found = entries(TABLE, CELLS)
    assert only(found, rate=0.01, figure="asr").ours.value == pytest.approx(7 / 200)
    assert only(found, rate=0.01, figure="asr").paper is None
    assert not any(e.ours.value == pytest.approx(9 / 200) for e in found)


def test_clean_quality_is_a_share_of_the_clean_trained_models_of_the_same_seed() -> None:
    assert only(entries(TABLE, CELLS[:2]), column="no defence", figure="cider_of_clean").ours.value == pytest.approx(0.75)
    assert not [e for e in entries(TABLE, CELLS[1:2]) if e.figure == "cider_of_clean"]


def test_success_that_is_unknown_generalises_to_nothing() -> None:
    """No test image counted: all references hold the target."""
    unknown = {**model("none", "p1", 0), "asr": {"value": None, "low": 0.0, "high": 1.0, "n": 0}}
    table = TABLE.model_copy(update={"figures": ("asr_g",), "columns": (Column(name="other", arm="none", variant="other"),)})
    known = cell(0, model("none", "p1", 100))
    assert entries(table, [known, cell(0, unknown, variant="other")]) == []
    assert only(entries(table, [known, cell(0, model("none", "p1", 50), variant="other")])).ours.value == pytest.approx(0.5)


def test_the_page_tells_a_change_from_none() -> None:
    page = as_markdown(TABLE, entries(TABLE, CELLS))
    (line,) = [line for line in page.splitlines() if line.startswith("| badnet | 0.1 | scenes | SRD | -")]
    assert line.split("|")[5:8] == [" -85.0 ", " -0.5, no difference seen ", " -54.2 "]
    assert "| badnet | 0.1 | COCO | SRD | **paper** | 51.3 | 45.7 | – |" in page


def test_nothing_finished_is_said() -> None:
    assert as_markdown(TABLE, []) == "Nothing is finished yet."


def test_every_figure_is_a_line_of_the_csv() -> None:
    found = entries(TABLE, CELLS)
    rows = list(csv.DictReader(as_csv(found).splitlines()))
    assert len(rows) == len(found) > 6
    assert {row["paper_percent"] for row in rows if row["data"] == "SRD" and row["figure"] == "asr"} == {"45.7"}


def test_charts_by_attack_and_by_rate_hold_every_bar() -> None:
    found = entries(TABLE, CELLS)
    by_attack, by_rate = drawn(Chart(figures=("asr",)), found[:3]), drawn(Chart(figures=("asr",), by="rate"), found)
    assert set(by_attack) == {"asr-scenes-p1"} and set(by_rate) == {"asr-badnet-scenes-p1", "asr-badnet-scenes-p2"}
    svg = by_rate["asr-badnet-scenes-p1"]
    ElementTree.fromstring(svg)
    assert "0.1: no defence 100.0 %; SRD 15.0 %" in svg and "0.01: no defence 3.5 %; SRD not known" in svg


def test_several_figures_are_those_of_the_first_column() -> None:
    (svg,) = drawn(Chart(figures=("cider_triggered", "asr")), entries(TABLE, CELLS[1:2])).values()
    assert "C ↑ 300.0 %; ASR ↓ 100.0 %" in svg
