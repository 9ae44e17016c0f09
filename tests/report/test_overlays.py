"""Heat over images: where it is, how strong, and that nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest

from srd_core.report.overlays import outlined, overlay, sheet

GREY = np.full((8, 8, 3), 128, np.uint8)


def test_heat_colours_its_own_place_only() -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 3] = 5
    made = overlay(GREY, heat, side=64)
    assert made.shape == (64, 64, 3)
    red, green, blue = made[8, 56].astype(int)
    assert red > green > blue and red > 220
    assert (made[32:] == 128).all() and (made[:, :32] == 128).all()


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_no_heat_is_the_image(value: float) -> None:
    assert (overlay(GREY, np.full((4, 4), value, np.float32), side=16) == 128).all()


def test_the_scale_of_a_map_does_not_matter() -> None:
    heat = np.random.default_rng(0).random((4, 4), np.float32)
    assert np.array_equal(overlay(GREY, heat), overlay(GREY, heat * np.float32(1024)))


@pytest.mark.parametrize("side", [4, 8, 20])
def test_images_of_any_size_fit(side: int) -> None:
    assert (
        overlay(np.full((side, side, 3), 7, np.uint8), np.zeros((2, 2), np.float32), side=10).tolist() == np.full((10, 10, 3), 7).tolist()
    )


def test_a_frame_lies_around_the_box_and_on_a_copy() -> None:
    made = outlined(GREY, (0.25, 0.5, 0.75, 1.0))
    changed = (made != GREY).any(axis=2)
    assert changed[4, 2:7].all() and changed[7, 2:7].all() and changed[4:, 2].all() and changed[4:, 6].all()
    assert not changed[5:7, 3:6].any() and not changed[:4].any()
    assert (GREY == 128).all() and np.array_equal(outlined(GREY, None), GREY)


def test_a_sheet_keeps_rows_and_columns() -> None:
    tiles = [[np.full((8, 8, 3), 10 * row + column, np.uint8) for column in range(3)] for row in range(2)]
    made = sheet(tiles)
    assert made.shape == (24, 36, 3)
    assert [[int(made[12 * row, 12 * column, 0]) for column in range(3)] for row in range(2)] == [[0, 1, 2], [10, 11, 12]]
    assert (made[8:12] == 255).all()
