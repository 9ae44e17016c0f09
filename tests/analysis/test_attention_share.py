"""Shares of heat maps in boxes, against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from srd_core.analysis.attention import attention_share

QUARTERS = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("box", "share", "area"),
    [
        ((0.0, 0.0, 0.5, 0.5), 0.1, 0.25),
        ((0.5, 0.0, 1.0, 0.5), 0.2, 0.25),
        ((0.0, 0.5, 1.0, 1.0), 0.7, 0.5),
        ((0.0, 0.0, 1.0, 1.0), 1.0, 1.0),
        ((0.25, 0.25, 0.75, 0.75), 0.25, 0.25),
        ((0.75, 0.5, 1.0, 1.0), 0.2, 0.125),
        ((0.9, 0.9, 1.5, 1.5), 0.4 * 0.04, 0.01),
        ((-1.0, -1.0, 0.0, 0.0), 0.0, 0.0),
    ],
)
def test_shares_by_hand(box: tuple[float, ...], share: float, area: float) -> None:
    found = attention_share([QUARTERS], [box])
    np.testing.assert_allclose((found.share[0], found.area[0]), (share, area), atol=1e-12)


def test_each_map_has_its_own_box() -> None:
    found = attention_share([QUARTERS, QUARTERS], [(0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)])
    np.testing.assert_allclose(found.share, [0.1, 0.4])


def test_a_map_without_mass_has_no_share_but_its_box_an_area() -> None:
    found = attention_share([np.zeros((2, 2)), np.full((2, 2), np.nan), QUARTERS], [(0, 0, 0.5, 1)] * 3)
    assert np.isnan(found.share).tolist() == [True, True, False]
    np.testing.assert_allclose(found.area, 0.5)


corner = st.floats(0, 1, allow_subnormal=False)


@given(corner, corner, corner, corner, st.integers(1, 16))
def test_an_even_map_has_the_share_of_the_area(a: float, b: float, c: float, d: float, grid: int) -> None:
    found = attention_share(np.full((1, grid, grid), 0.3), [(min(a, b), min(c, d), max(a, b), max(c, d))])
    assert found.area[0] == pytest.approx(abs(a - b) * abs(c - d), abs=1e-9)
    assert found.share[0] == pytest.approx(found.area[0], abs=1e-9)


@given(arrays(np.float32, (1, 4, 4), elements=st.floats(0, 100, width=32)), corner, corner)
def test_four_parts_of_the_canvas_share_everything(maps: np.ndarray, x: float, y: float) -> None:
    boxes = [(0, 0, x, y), (x, 0, 1, y), (0, y, x, 1), (x, y, 1, 1)]
    found = attention_share(maps.repeat(4, axis=0), boxes)
    assert found.area.sum() == pytest.approx(1)
    if maps.sum() > 0:
        assert found.share.sum() == pytest.approx(1)


@pytest.mark.parametrize(("maps", "boxes"), [(QUARTERS, [(0, 0, 1, 1)]), ([QUARTERS], [(0, 0, 1, 1)] * 2), ([QUARTERS], [(0, 0, 1)])])
def test_shapes_that_do_not_fit_are_told(maps: list, boxes: list) -> None:
    with pytest.raises(ValueError, match="shape"):
        attention_share(maps, boxes)
