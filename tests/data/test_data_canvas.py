"""Pairs over images: stored once, found by number, never mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.data.canvas import CanvasSet, CanvasWriter


def picture(value: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


@pytest.fixture
def pairs(tmp_path: Path) -> CanvasSet:
    writer = CanvasWriter(tmp_path / "set.rgb", 8)
    for value, count in ((10, 2), (20, 1), (10, 1), (30, 2)):
        writer.add(picture(value), [f"{value}/{count}/{i}" for i in range(count)], [f"id-{value}-{count}-{i}" for i in range(count)])
    return writer.finish()


def test_equal_images_are_stored_once_and_every_pair_shows_its_own(pairs: CanvasSet, tmp_path: Path) -> None:
    assert len(pairs) == 6 and len(pairs.images) == 3
    assert (tmp_path / "set.rgb").stat().st_size == 3 * 8 * 8 * 3
    shown = pairs.images[pairs.image_of][:, 0, 0, 0].tolist()
    assert shown == [int(text.split("/")[0]) for text in pairs.captions] == [10, 10, 20, 10, 30, 30]
    assert pairs.references()[0] == ["10/2/0", "10/2/1", "10/1/0"]


@given(st.integers(1, 9))
def test_batches_are_the_whole_set_in_order(size: int) -> None:
    images = np.stack([picture(value) for value in range(5)])
    pairs = CanvasSet(images, np.asarray([4, 0, 0, 3, 1, 2, 4]), [f"c{i}" for i in range(7)], [f"i{i}" for i in range(7)])
    parts = list(pairs.batches(size))
    assert np.concatenate([part[0] for part in parts])[:, 0, 0, 0].tolist() == pairs.image_of.tolist()
    assert [text for part in parts for text in part[1]] == pairs.captions
    assert [name for part in parts for name in part[2]] == pairs.ids
    assert max(len(part[1]) for part in parts) == min(size, 7)


def test_taking_pairs_keeps_image_caption_and_id_together(pairs: CanvasSet) -> None:
    taken = pairs.take([5, 2, 2])
    assert taken.captions == ["30/2/1", "20/1/0", "20/1/0"] and taken.ids == ["id-30-2-1", "id-20-1-0", "id-20-1-0"]
    assert taken.images[taken.image_of][:, 0, 0, 0].tolist() == [30, 20, 20]
    assert len(pairs.take([])) == 0


def test_an_empty_set_is_a_set(tmp_path: Path) -> None:
    pairs = CanvasWriter(tmp_path / "none.rgb", 8).finish()
    assert len(pairs) == 0 and pairs.side == 8 and list(pairs.batches(4)) == []


@pytest.mark.parametrize("image", [np.zeros((8, 9, 3), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8)])
def test_another_shape_or_type_is_refused(tmp_path: Path, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        CanvasWriter(tmp_path / "set.rgb", 8).add(image, ["a"], ["b"])


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="lengths differ"):
        CanvasSet(np.zeros((1, 8, 8, 3), np.uint8), np.asarray([0, 0]), ["a"], ["b", "c"])
