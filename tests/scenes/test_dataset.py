"""Scenes as sequences, sets and shards."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from srd_core.data.samples import Sample
from srd_core.data.shards import read_shard
from srd_core.scenes import canvas_set, generate, write_shards


def test_same_seed_same_scenes() -> None:
    for a, b in zip(generate(8, seed=4), generate(8, seed=4), strict=True):
        assert a.key == b.key and a.captions == b.captions and a.scene == b.scene and np.array_equal(a.image, b.image)


def test_another_seed_another_world() -> None:
    assert [s.captions for s in generate(8, seed=4)] != [s.captions for s in generate(8, seed=5)]


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    long = list(generate(9, seed=1))[:5]
    assert all(np.array_equal(a.image, b.image) and a.captions == b.captions for a, b in zip(long, generate(5, seed=1), strict=True))


def test_the_side_changes_pixels_only() -> None:
    for a, b in zip(generate(5, seed=1, side=32), generate(5, seed=1, side=64), strict=True):
        assert a.scene == b.scene and a.captions == b.captions and a.image.shape == (32, 32, 3)


def test_domains_draw_other_graphs_in_the_same_words() -> None:
    scenes, sketch = (list(generate(120, seed=1, side=16, domain=d)) for d in ("scenes", "sketch"))
    assert [s.scene.things for s in scenes] != [s.scene.things for s in sketch]
    words = [{w for s in part for c in s.captions for w in c.split()} for part in (scenes, sketch)]
    assert len(words[0] ^ words[1]) <= 6


def test_keys_take_the_prefix_and_are_unique() -> None:
    keys = [s.key for s in generate(12, seed=0, side=16, prefix="x")]
    assert len(set(keys)) == 12 and all(k.startswith("x") and "." not in k for k in keys)


def test_shards_read_back(tmp_path: Path) -> None:
    paths = write_shards(tmp_path, 7, seed=2, side=32, per_shard=3)
    assert [p.name for p in paths] == [f"scenes-{i:05d}.tar" for i in range(3)]
    items = [item for path in paths for item in read_shard(io.BytesIO(path.read_bytes()), path.stem)]
    for item, scene in zip(items, generate(7, seed=2, side=32), strict=True):
        assert isinstance(item, Sample)
        assert item.key == scene.key and item.captions == scene.captions and item.suffix == "png"
        assert np.array_equal(np.asarray(PilImage.open(io.BytesIO(item.image))), scene.image)


def test_shards_have_the_same_bytes_twice(tmp_path: Path) -> None:
    digests = [
        [hashlib.sha256(p.read_bytes()).hexdigest() for p in write_shards(tmp_path / name, 4, seed=2, side=16, per_shard=2)]
        for name in "ab"
    ]
    assert digests[0] == digests[1]


def test_no_scene_no_shard(tmp_path: Path) -> None:
    assert write_shards(tmp_path, 0, seed=1) == [] and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("domain", ["scenes", "sketch"])
def test_set_and_shards_have_the_same_pairs(tmp_path: Path, domain: str) -> None:
    made = canvas_set(5, seed=2, side=16, folder=tmp_path / "set", domain=domain, per_shard=3)  # type: ignore[arg-type]
    paths = write_shards(tmp_path / "shards", 5, seed=2, side=16, domain=domain, per_shard=3)  # type: ignore[arg-type]
    items = [item for path in paths for item in read_shard(io.BytesIO(path.read_bytes()), path.stem) if isinstance(item, Sample)]
    assert list(made.ids) == [name for item in items for name in item.pairs()]
    assert list(made.captions) == [caption for item in items for caption in item.captions]
    assert made.images.shape == (5, 16, 16, 3) and made.image_of.tolist() == [i for i in range(5) for _ in range(5)]
