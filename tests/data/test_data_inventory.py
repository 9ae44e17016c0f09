"""A source is fixed once: what is listed, in which order, under which digest, and what is said when there is nothing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from flows.cli.launch import reachable
from srd_core.data.inventory import Inventory, open_shard, take_inventory
from srd_core.data.samples import Reject
from srd_core.data.shards import read_shard
from srd_core.errors import ConflictError, SourceError, StorageError
from srd_core.storage import open_storage

Pack = Callable[..., bytes]


def test_a_folder_a_glob_and_a_file(shard_folder: Path) -> None:
    (shard_folder / "notes.txt").write_text("x")
    assert [shard.name for shard in take_inventory(str(shard_folder)).shards] == ["part-0", "part-1"]
    assert [shard.name for shard in take_inventory(f"file://{shard_folder}").shards] == ["part-0", "part-1"]
    assert [shard.name for shard in take_inventory(f"{shard_folder}/*-1.tar").shards] == ["part-1"]
    assert [shard.name for shard in take_inventory(f"{shard_folder}/part-0.tar").shards] == ["part-0"]


def test_an_address_means_the_same_folder_everywhere(shard_folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a b#1?%20"
    shutil.copytree(shard_folder, odd)
    address = f"file://{quote(str(odd))}"
    assert open_storage(address).uri == str(odd)
    assert [shard.uri for shard in take_inventory(address).shards] == [str(odd)] * 2
    assert [shard.name for shard in take_inventory(f"{address}/*-1.tar").shards] == ["part-1"]
    assert [shard.uri for shard in take_inventory(str(odd)).shards] == [str(odd)] * 2
    reachable(address)
    with pytest.raises(StorageError, match="not a storage"):
        take_inventory("file://elsewhere/data")


@pytest.mark.parametrize(("name", "fits"), [("漢" * 66, True), ("漢" * 67, False), ("n" * 200, True), ("n" * 201, False)])
def test_a_name_that_outputs_could_not_be_called_after_is_refused(shard_folder: Path, tmp_path: Path, name: str, fits: bool) -> None:
    shutil.copy(shard_folder / "part-0.tar", tmp_path / f"{name}.tar")
    if fits:
        assert [shard.name for shard in take_inventory(str(tmp_path)).shards] == [name]
    else:
        with pytest.raises(SourceError, match=f"a name of {len(name.encode())} bytes; the limit is 200"):
            take_inventory(str(tmp_path))


@pytest.mark.parametrize("name", [".tar", "..tar", "...tar"])
def test_a_shard_without_a_name_is_refused(shard_folder: Path, tmp_path: Path, name: str) -> None:
    """Regression: `.tar` failed at its very end, since `decisions/.parquet` has another stem; `...tar` wrote in the folder above."""
    shutil.copy(shard_folder / "part-0.tar", tmp_path / name)
    shutil.copy(shard_folder / "part-1.tar", tmp_path / "part-1.tar")
    with pytest.raises(SourceError, match=rf"is called {re.escape(name)} and has no name"):
        take_inventory(str(tmp_path))
    assert [shard.name for shard in take_inventory(f"{tmp_path}/*.tar").shards] == ["part-1"]  # globs pass hidden files by


def test_relative_sources_work(shard_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shard_folder)
    inventory = take_inventory("part-0.tar")
    monkeypatch.chdir("/")
    with open_shard(inventory.shards[0]) as stream:
        assert stream.read(4) == b"0000"


def test_a_copy_elsewhere_has_the_same_digest_and_a_change_another(shard_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shard_folder, copy)
    first = take_inventory(str(shard_folder))
    assert take_inventory(str(copy)).digest == first.digest
    data = bytearray((copy / "part-1.tar").read_bytes())
    data[-600] ^= 1
    (copy / "part-1.tar").write_bytes(bytes(data))
    changed = take_inventory(str(copy))
    assert changed.digest != first.digest


def test_an_inventory_survives_json(shard_folder: Path) -> None:
    inventory = take_inventory(str(shard_folder))
    assert Inventory.model_validate_json(inventory.model_dump_json()) == inventory


def test_a_shard_changed_after_listing_is_not_read(shard_folder: Path) -> None:
    shard = take_inventory(str(shard_folder)).shards[0]
    with open_shard(shard) as stream:
        assert len(list(read_shard(stream, shard.name))) == 20
    os.utime(shard_folder / "part-0.tar", ns=(0, 0))
    with pytest.raises(ConflictError, match="has changed"):
        open_shard(shard)


def test_a_shard_that_was_changed_in_place_is_noticed_at_its_end(shard_folder: Path) -> None:
    """With its old time and size, only the digest tells."""
    shard = take_inventory(str(shard_folder)).shards[0]
    with pytest.raises(ConflictError, match=r"part-0\.tar has other content"), open_shard(shard) as stream:
        edit_unseen(shard_folder / "part-0.tar", 512, b"x")
        list(read_shard(stream, shard.name))


def test_what_was_changed_in_place_is_noticed_behind_a_break_too(shard_folder: Path) -> None:
    """Regression: a reader stops where the archive breaks, so the digest was never compared, and the run vouched for other data."""
    path = shard_folder / "part-0.tar"
    shard, data = take_inventory(str(shard_folder)).shards[0], path.read_bytes()
    with pytest.raises(ConflictError, match=r"part-0\.tar has other content"), open_shard(shard) as stream:
        edit_unseen(path, data.index(b"thing 1"), b"thinG 1")
        edit_unseen(path, data.index(b"0003.jpg"), b"X")
        assert [item.reason for item in read_shard(stream, shard.name) if isinstance(item, Reject)] == ["bad-checksum-shard"]


def test_who_wants_no_more_of_a_shard_need_not_wait_for_its_end(shard_folder: Path) -> None:
    shard = take_inventory(str(shard_folder)).shards[0]
    with pytest.raises(KeyError), open_shard(shard):
        edit_unseen(shard_folder / "part-0.tar", 0, b"X")
        raise KeyError


def edit_unseen(path: Path, offset: int, new: bytes) -> None:
    """Other content, and the times and the size of before, as far as a process can set them."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(new)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("pattern", ["", "/*.tar", "/b*"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere.tar")])
def test_what_is_called_a_shard_and_is_none_is_named(shard_folder: Path, make: Callable[[Path], object], pattern: str) -> None:
    """Regression: a link whose target was missing was left out without a word, and with it all its pairs."""
    make(shard_folder / "b.tar")
    with pytest.raises(SourceError, match=r"'b\.tar' of .* is called a shard and is no file"):
        take_inventory(f"{shard_folder}{pattern}")


@pytest.mark.parametrize("pattern", ["", "/*.tar", "/../s*/part-?.tar", "/../*/*.tar"])
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(pack: Pack, common_user: Path, pattern: str) -> None:
    """Regression: a glob found nothing in it, and what else it found was all there seemed to be."""
    for name in ("set", "other"):
        (common_user / name).mkdir()
        (common_user / name / f"part-{name}.tar").write_bytes(pack({"a.jpg": b"A", "a.txt": "a"}))
    closed = common_user / "set"
    closed.chmod(0)
    with pytest.raises(StorageError, match="Permission denied"):
        take_inventory(f"{closed}{pattern}")


def test_globs_match_as_shells_do(shard_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shard_folder / ".hidden.tar").touch()
    monkeypatch.chdir(shard_folder.parent)
    for pattern in ("set/*.tar", "s?t/part-[01].tar", "*/part*", "./set/../s*/*r", f"{shard_folder}/[!q]*-?.tar"):
        assert [shard.name for shard in take_inventory(pattern).shards] == ["part-0", "part-1"]
    assert [shard.name for shard in take_inventory("set/.h*.tar").shards] == [".hidden"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing", "does not exist"),
        ("nothing/*.tar", "no \\*.tar found"),
        ("set/../empty", "no \\*.tar found"),
        ("a.txt", "is not a .tar"),
    ],
)
def test_unusable_sources_say_what_to_do(shard_folder: Path, tmp_path: Path, source: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(SourceError, match=said) as caught:
        take_inventory(str(tmp_path / source))
    assert caught.value.hint


def test_shards_one_folder_down_are_pointed_at(shard_folder: Path) -> None:
    with pytest.raises(SourceError, match=r"Did you mean .*/set\?"):
        take_inventory(str(shard_folder.parent))


def test_two_shards_of_one_name_are_refused(shard_folder: Path) -> None:
    other = shard_folder.parent / "set-2"
    shutil.copytree(shard_folder, other)
    with pytest.raises(SourceError, match="name part-0"):
        take_inventory(f"{shard_folder.parent}/set*/part-*.tar")
