from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.scoring.coverage import covered_share, iou, mask_boxes, within

SIDE = 20


@st.composite
def pixel_boxes(draw: st.DrawFn) -> list[int]:
    x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return [x0, y0, draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))]


def painted(box: list[int]) -> np.ndarray:
    canvas = np.zeros((SIDE, SIDE), bool)
    canvas[box[1] : box[3], box[0] : box[2]] = True
    return canvas


def test_shares_by_hand() -> None:
    trigger = [[0.0, 0.0, 0.2, 0.2]] * 4
    mask = [[0.0, 0.0, 0.5, 0.5], [0.1, 0.1, 0.4, 0.4], [0.2, 0.0, 0.4, 0.2], [0.1, 0.0, 0.3, 0.2]]
    np.testing.assert_allclose(covered_share(trigger, mask), [1, 0.25, 0, 0.5])
    np.testing.assert_allclose(iou(trigger, mask), [0.04 / 0.25, 0.01 / 0.12, 0, 0.02 / 0.06])


def test_no_mask_covers_nothing_and_no_trigger_is_unknown() -> None:
    nothing = [np.nan] * 4
    share = covered_share([[0, 0, 1, 1], nothing, [0.5, 0.5, 0.5, 0.5]], [nothing, [0, 0, 1, 1], [0, 0, 1, 1]])
    assert share[0] == 0.0
    assert np.isnan(share[1:]).all()
    assert np.isnan(iou([nothing], [nothing])).all()


@given(pixel_boxes(), pixel_boxes())
def test_areas_are_those_of_painted_pixels(trigger: list[int], mask: list[int]) -> None:
    a, b = painted(trigger), painted(mask)
    assert covered_share([trigger], [mask])[0] == pytest.approx((a & b).sum() / a.sum())
    assert iou([trigger], [mask])[0] == pytest.approx((a & b).sum() / (a | b).sum())
    assert iou([trigger], [mask])[0] == pytest.approx(iou([mask], [trigger])[0])


@given(pixel_boxes(), pixel_boxes(), st.floats(0.01, 100))
def test_the_unit_does_not_matter(trigger: list[int], mask: list[int], unit: float) -> None:
    scaled = np.array([trigger]) * unit, np.array([mask]) * unit
    assert covered_share(*scaled)[0] == pytest.approx(covered_share([trigger], [mask])[0], abs=1e-9)


def test_no_boxes_give_no_shares_and_wrong_shapes_are_refused() -> None:
    assert covered_share([], []).shape == (0,)
    with pytest.raises(ValueError, match="not"):
        iou([[0, 0, 1]], [[0, 0, 1]])


def test_a_decision_row_gives_the_corners_of_its_mask() -> None:
    corners = mask_boxes([0.5, None], [1.0, None], [0.2, None])
    np.testing.assert_allclose(corners[0], [0.4, 0.9, 0.6, 1.1])
    assert covered_share([[0.4, 0.9, 0.6, 1.0]] * 2, corners).tolist() == [pytest.approx(1.0), 0.0]


def test_what_lies_beyond_the_image_is_no_part_of_a_mask() -> None:
    corner, mask = [[0.9, 0.9, 1.0, 1.0]], mask_boxes([0.95], [0.95], [0.3])
    cut = within(mask, corner)
    np.testing.assert_allclose(cut, [[0.8, 0.8, 1.0, 1.0]])
    assert iou(corner, cut)[0] == pytest.approx(0.25) and iou(corner, mask)[0] < 0.15
    np.testing.assert_allclose(within(mask_boxes([0.05], [1.4], [0.2]), [[0, 1.3, 0.1, 1.5]]), [[0, 1.3, 0.15, 1.5]])  # a long image
    assert np.isnan(within(mask_boxes([None], [None], [None]), corner)).all()
