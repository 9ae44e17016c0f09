from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.errors import ConfigError
from srd_core.policy.masks import PAPER_SIZES, RED, ActionSpace, Mask, box, draw, draw_batch

SPACE = ActionSpace()
SHAPES = st.tuples(st.integers(8, 300), st.integers(8, 300))


def test_the_paper_s_space_has_401_actions_and_the_last_leaves_the_image_alone() -> None:
    assert (SPACE.count, SPACE.no_mask, SPACE.decode(400)) == (401, 400, None)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))
def test_decode_undoes_encode(gx: int, gy: int, size: int) -> None:
    mask = SPACE.decode(SPACE.encode(gx, gy, size))
    assert mask == Mask((gx + 0.5) / 10, (gy + 0.5) / 10, PAPER_SIZES[size])


@given(st.integers(1, 12), st.integers(1, 5))
def test_every_action_number_is_one_mask(grid: int, sizes: int) -> None:
    space = ActionSpace(grid, tuple((k + 1) / 10 for k in range(sizes)))
    assert len({space.decode(action) for action in range(space.count)}) == grid * grid * sizes + 1


def test_numbering_is_that_of_the_official_code() -> None:
    assert SPACE.encode(gx=3, gy=7, size_index=2) == 273


@pytest.mark.parametrize("cell", [(10, 0, 0), (0, -1, 0), (0, 0, 4)])
def test_a_cell_outside_the_grid_is_refused(cell: tuple[int, int, int]) -> None:
    with pytest.raises(IndexError):
        SPACE.encode(*cell)


@pytest.mark.parametrize("action", [-1, 401])
def test_an_action_outside_the_space_is_refused(action: int) -> None:
    with pytest.raises(IndexError):
        SPACE.decode(action)


@pytest.mark.parametrize(("grid", "sizes"), [(0, (0.1,)), (3, ()), (3, (0.0,)), (3, (1.5,))])
def test_an_impossible_space_is_refused(grid: int, sizes: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError):
        ActionSpace(grid, sizes)


def test_a_20_pixel_mask_on_the_paper_s_canvas() -> None:
    assert box(Mask(0.5, 0.5, 20 / 224), 224, 224) == (102, 102, 122, 122)


@given(SHAPES, st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_a_box_is_never_empty_and_never_outside(shape: tuple[int, int], x: float, y: float, size: float) -> None:
    x0, y0, x1, y1 = box(Mask(x, y, size), *shape)
    assert 0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]


@given(SHAPES, st.floats(0.4, 0.6), st.floats(0.4, 0.6), st.floats(0.1, 0.5))
def test_a_box_inside_the_image_is_a_square_of_the_shorter_side(shape: tuple[int, int], x: float, y: float, size: float) -> None:
    x0, y0, x1, y1 = box(Mask(x, y, size), *shape)
    assert abs((x1 - x0) - size * min(shape)) <= 1 and abs((y1 - y0) - size * min(shape)) <= 1


@given(SHAPES, st.integers(0, 399))
def test_fields_are_fractions_of_the_shorter_side(shape: tuple[int, int], action: int) -> None:
    mask = SPACE.decode(action)
    assert mask is not None
    x, y, size = mask.fields(*shape)
    short = min(shape)
    assert (x * short, y * short, size) == pytest.approx((mask.x * shape[1], mask.y * shape[0], mask.size))


def test_drawing_is_opaque_red_inside_and_nothing_outside() -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 50, 3), dtype=np.uint8)
    mask = Mask(0.5, 0.5, 0.2)
    x0, y0, x1, y1 = box(mask, 30, 50)
    drawn = draw(image, mask)
    inside = np.zeros((30, 50), bool)
    inside[y0:y1, x0:x1] = True
    assert (drawn[inside] == RED).all() and (drawn[~inside] == image[~inside]).all()


def test_drawing_leaves_the_original_alone() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    draw(image, Mask(0.5, 0.5, 0.5))
    draw_batch(image[None], np.array([0]), SPACE)
    assert not image.any()


def test_no_mask_draws_nothing() -> None:
    image = np.full((1, 20, 20, 3), 7, np.uint8)
    assert (draw_batch(image, np.array([SPACE.no_mask]), SPACE) == image).all()


def test_a_batch_is_drawn_like_its_images_one_by_one() -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 255, (40, 64, 64, 3), dtype=np.uint8)
    actions = rng.integers(SPACE.count, size=40)
    singles = [draw(image, SPACE.decode(int(action))) for image, action in zip(images, actions, strict=True)]
    assert (draw_batch(images, actions, SPACE) == np.stack(singles)).all()


def test_masks_of_one_row_add_up() -> None:
    actions = SPACE.padded([(0, 399), ()])
    hidden = SPACE.coverage(actions, 64)
    apart = SPACE.coverage(np.array([0]), 64)[0] | SPACE.coverage(np.array([399]), 64)[0]
    assert (hidden[0] == apart).all() and not hidden[1].any()


def test_no_images_have_no_hidden_pixels() -> None:
    assert SPACE.coverage(SPACE.padded([]), 8).shape == (0, 8, 8)
