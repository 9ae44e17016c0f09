"""Shards become canvases: one image once, every caption, stable splits, rejects counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from srd_core.data.images import decode_canvas
from srd_core.data.inventory import take_inventory
from srd_core.data.loading import load_canvas, split_of

Pack = Callable[..., bytes]


def test_every_pair_of_every_shard_is_there_once(shard_folder: Path, tmp_path: Path, photo: Callable[..., bytes]) -> None:
    found, skipped = load_canvas(take_inventory(str(shard_folder)).shards, 16, tmp_path / "canvas")
    assert len(found) == 80
    assert found.images.shape == (40, 16, 16, 3)
    assert not skipped
    assert found.ids[:3] == ["part-0/0000#0", "part-0/0000#1", "part-0/0001#0"]
    assert found.captions[43] == "object 21"
    assert np.array_equal(found.images[found.image_of[43]], decode_canvas(photo(21), 16))


def test_splits_are_disjoint_complete_and_independent_of_order(shard_folder: Path, tmp_path: Path) -> None:
    shards = take_inventory(str(shard_folder)).shards
    fit, _ = load_canvas(shards, 8, tmp_path, split="fit", holdout=0.4)
    held, _ = load_canvas(shards[::-1], 8, tmp_path, split="holdout", holdout=0.4)
    everything, _ = load_canvas(shards, 8, tmp_path)
    assert set(fit.ids) | set(held.ids) == set(everything.ids)
    assert not set(fit.ids) & set(held.ids)
    assert 4 < len(held) / 2 < 28


def test_holdout_has_about_the_size_asked_for() -> None:
    held = [split_of(f"{number:06}", 0.15) == "holdout" for number in range(4000)]
    assert 0.13 < np.mean(held) < 0.17
    assert split_of("a", 0.0) == "fit"
    assert split_of("a", 1.0) == "holdout"


def test_an_image_that_comes_as_several_samples_is_in_the_part_of_the_first(
    tmp_path: Path, pack: Pack, photo: Callable[..., bytes]
) -> None:
    for shard in range(2):  # both hold captions of every photograph
        names = [(number, f"{number:02}-{2 * shard + caption}") for number in range(20) for caption in range(2)]
        members: dict[str, object] = {
            f"{key}.{kind}": photo(number) if kind == "jpg" else key for number, key in names for kind in ("jpg", "txt")
        }
        members["broken.jpg"] = photo(0)  # no caption: not a sample, and nobody's first
        (tmp_path / f"{shard}.tar").write_bytes(pack(dict(sorted(members.items(), reverse=True))))
    shards = take_inventory(str(tmp_path)).shards
    parts = {split: load_canvas(shards, 8, tmp_path, split=split, holdout=0.4)[0] for split in ("fit", "holdout")}  # type: ignore[arg-type]
    for split, part in parts.items():
        numbers = {name.split("/")[1][:2] for name in part.ids}
        assert numbers == {f"{number:02}" for number in range(20) if split_of(f"{number:02}-1", 0.4) == split}  # the first in its shard
        assert len(part.images) == len(numbers) and len(part) == 4 * len(numbers)
    few, _ = load_canvas(shards, 8, tmp_path / "few", split="holdout", holdout=0.4, limit=5)
    assert list(few.ids) == list(parts["holdout"].ids)[:5]


def test_limit_counts_images(shard_folder: Path, tmp_path: Path) -> None:
    found, _ = load_canvas(take_inventory(str(shard_folder)).shards, 8, tmp_path, limit=25)
    assert len(found.images) == 25
    assert len(found) == 50


def test_what_cannot_be_read_is_counted_by_reason(tmp_path: Path, pack: Pack, photo: Callable[..., bytes]) -> None:
    members = {"a.jpg": photo(1), "a.txt": "x", "b.jpg": b"GIF89a", "b.txt": "y", "c.jpg": photo(2), "d.jpg": photo(3)[:200], "d.txt": "z"}
    (tmp_path / "x.tar").write_bytes(pack(members)[:-600])
    found, skipped = load_canvas(take_inventory(str(tmp_path / "x.tar")).shards, 8, tmp_path / "canvas")
    assert found.ids == ["x/a#0"]
    assert skipped == {"unsupported-image": 1, "no-caption": 1, "corrupt-image": 1, "truncated-shard": 1}
