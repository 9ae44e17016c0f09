"""Inventories of an S3 prefix: listed once, read only as listed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from srd_core.data.inventory import open_shard, take_inventory
from srd_core.data.loading import load_canvas
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.errors import ConflictError, SourceError
from srd_core.storage import open_storage


def shard(caption: str) -> bytes:
    target = io.BytesIO()
    with ShardWriter(target) as writer:
        writer.write(Sample("s", "a", b"not a picture", "jpg", (caption,)))
    return target.getvalue()


def test_a_prefix_and_one_object(s3_root: str) -> None:
    storage = open_storage(s3_root)
    for name in ("b.tar", "a.tar", "notes.txt", "deep/c.tar"):
        storage.put_bytes(name, shard(name))
    inventory = take_inventory(s3_root)
    assert [item.name for item in inventory.shards] == ["a", "b"]
    assert [item.name for item in take_inventory(f"{s3_root}/deep/c.tar").shards] == ["c"]
    assert take_inventory(s3_root + "/").digest == inventory.digest


def test_a_shard_replaced_after_listing_is_not_read(s3_root: str) -> None:
    storage = open_storage(s3_root)
    storage.put_bytes("a.tar", shard("one"))
    inventory = take_inventory(s3_root)
    with open_shard(inventory.shards[0]) as stream:
        assert stream.read() == shard("one")
    storage.put_bytes("a.tar", shard("two"), overwrite=True)
    assert take_inventory(s3_root).digest != inventory.digest
    with pytest.raises(ConflictError):
        open_shard(inventory.shards[0])


def test_nothing_there_is_explained(s3_root: str) -> None:
    with pytest.raises(SourceError, match=r"no \*.tar found at s3://"):
        take_inventory(s3_root)
    with pytest.raises(SourceError, match="does not exist"):
        take_inventory(f"{s3_root}/x.tar")
    open_storage(s3_root).put_bytes("shards/a.tar", shard("x"))
    with pytest.raises(SourceError, match=r"Did you mean .*/shards"):
        take_inventory(s3_root)


def test_samples_stream_from_s3(s3_root: str, tmp_path: Path) -> None:
    open_storage(s3_root).put_bytes("a.tar", shard("one"))
    found, skipped = load_canvas(take_inventory(s3_root).shards, 8, tmp_path)
    assert len(found) == 0
    assert skipped == {"unsupported-image": 1}
