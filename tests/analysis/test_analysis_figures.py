"""Figures are well-formed, put things where they belong, and do not choke on odd values."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.analysis.bars import bar_chart
from srd_core.analysis.figures import Line, improved_chart, interval_bar, line_chart, reward_chart, share_bar, ticks
from srd_core.analysis.grids import count_map, value_map
from srd_core.analysis.svg import drawing, element, number, text
from srd_core.policy.curve import CurvePoint, LearningCurve
from srd_core.scoring.intervals import Interval

SVG = "{http://www.w3.org/2000/svg}"


def rects(picture: str) -> list[dict[str, str]]:
    return [dict(node.attrib) for node in ET.fromstring(picture).iter(f"{SVG}rect")]


def curve(*points: CurvePoint) -> LearningCurve:
    return LearningCurve(points, 100, 10)


@given(st.text(st.characters(codec=None)))
def test_any_text_gives_well_formed_xml(content: str) -> None:
    picture = drawing(10, 10, content, text(content, 1, 1), element("g", data_x=content))
    assert ET.fromstring(picture).tag == f"{SVG}svg"


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats()), max_size=20))
def test_charts_of_any_points_are_well_formed_and_finite(points: list[tuple[float, float]]) -> None:
    picture = line_chart("t", [Line("a & b", [(x, y) for x, y in points if not abs(y) > 1e9])], "steps")
    ET.fromstring(picture)
    assert "nan" not in picture and "inf" not in picture


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_enclose_the_range_with_few_round_steps(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 8
    assert found[0] <= low + 1e-6 * max(1, span) and found[-1] >= low + span - 1e-6 * max(1, span)


def test_numbers_are_short_and_never_minus_zero() -> None:
    assert [number(v) for v in (1.0, 0.126, -0.0001, 10.5)] == ["1", "0.13", "0", "10.5"]


def test_the_bar_is_as_long_as_its_value() -> None:
    _, filled = rects(interval_bar(Interval(value=0.5, low=0.4, high=0.6, n=10)))
    assert float(filled["width"]) == pytest.approx(48)


def test_the_bar_of_an_unknown_interval_has_no_whisker() -> None:
    picture = interval_bar(Interval(value=0.5, low=math.nan, high=math.nan, n=1))
    assert "<path" not in picture and len(rects(picture)) == 2


def test_an_unknown_value_has_no_bar() -> None:
    assert len(rects(interval_bar(Interval(value=math.nan, low=0, high=1, n=0)))) == 1


def test_shares_follow_each_other() -> None:
    _, first, second = rects(
        share_bar([("a", 0.25), ("none", 0.0), ("b", 0.75)]).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"')
    )
    assert (float(first["width"]), float(second["x"])) == (25, 25)


def test_reward_chart_draws_held_out_only_where_measured() -> None:
    known = CurvePoint(50, 0.1, 0.1, math.nan, 1.0, 0.4)
    unknown = CurvePoint(50, 0.1, 0.1, 0.2, 1.0, None)
    pictures = [reward_chart(curve(point)) for point in (known, unknown)]
    assert ["held out, greedy ends at 0.4" in picture for picture in pictures] == [True, False]


def test_an_empty_curve_is_still_a_picture() -> None:
    assert "no points" in improved_chart(curve())


def test_the_most_frequent_place_is_the_strongest() -> None:
    counts = np.zeros((10, 10))
    counts[2, 7], counts[5, 5] = 8, 2
    cells = rects(count_map(counts, 8, "t"))[1:]
    strongest = max(cells, key=lambda cell: float(cell["fill-opacity"]))
    assert len(cells) == 2 and (strongest["x"], strongest["y"]) == ("70.5", "20.5")


def test_signs_have_different_colours_and_the_choice_is_outlined() -> None:
    cells = rects(value_map([[1.0, -1.0]], 1.0, "t", (0, 1)))[1:]
    assert cells[0]["fill"] != cells[1]["fill"]
    assert cells[2]["x"] == "10" and cells[2]["fill"] == "none"


@pytest.mark.parametrize("values", [np.full((3, 3), np.nan), np.zeros((3, 3)), np.full((3, 3), np.inf)])
def test_odd_grids_stay_well_formed(values: np.ndarray) -> None:
    picture = value_map(values, 1.0, "t")
    ET.fromstring(picture)
    assert "nan" not in picture


def test_a_grid_must_have_two_dimensions() -> None:
    with pytest.raises(ValueError, match="grid of values"):
        count_map([1, 2, 3], 3, "t")


def test_equal_values_give_equal_bytes() -> None:
    grid = np.linspace(-1, 1, 100).reshape(10, 10)
    assert value_map(grid, 1.0, "t") == value_map(grid.tolist(), 1.0, "t")


def test_many_bars_are_told_apart_and_their_names_stay_in_the_drawing() -> None:
    names = [f"defence number {number}" for number in range(18)]
    figure = Interval(value=0.5, low=0.4, high=0.6, n=100)
    picture = bar_chart("ASR", ["badnet"], {name: [figure] for name in names})
    root = ET.fromstring(picture)
    keys = [rect for rect in rects(picture) if rect["width"] == "9"]
    assert len({(key["fill"], key["fill-opacity"]) for key in keys}) == len(names)
    width = float(root.attrib["viewBox"].split()[2])
    shown = {node.text: float(node.attrib["x"]) + 6.2 * len(node.text or "") for node in root.iter(f"{SVG}text")}
    assert set(names) <= shown.keys() and all(shown[name] <= width for name in names)
    floor = max(float(rect["y"]) + float(rect["height"]) for rect in rects(picture) if "stroke" in rect)
    assert floor < float(root.attrib["viewBox"].split()[3])
