"""What only a folder can get wrong: links out of it, half-written files, permissions."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from srd_core.errors import ConflictError, StorageError
from srd_core.storage import is_remote, open_storage
from srd_core.storage.local import LocalStorage


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match="leads out"):
        LocalStorage(tmp_path / "root").read_bytes("a")


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "root")
    with storage.alone("a"):
        (lock,) = (tmp_path / "root").iterdir()
    lock.symlink_to(tmp_path / "new")
    with pytest.raises(StorageError), storage.alone("a"):
        pass
    assert not (tmp_path / "new").exists()


def test_one_odd_entry_does_not_hide_the_others(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in (root / "shards", tmp_path / "outside"):
        folder.mkdir(parents=True)
        (folder / "a.tar").write_bytes(b"x")
    (root / "shards" / "back\\slash.tar").write_bytes(b"x")
    (root / "shards" / "new\nline.tar").write_bytes(b"x")
    (root / "out.tar").symlink_to(tmp_path / "outside" / "a.tar")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "circle").symlink_to(root / "circle")
    os.mkfifo(root / "pipe")
    storage = LocalStorage(root)
    assert [info.key for info in storage.list()] == ["shards/a.tar"]
    assert storage.unlisted() == ("circle", "folder", "out.tar", "pipe", "shards/back\\slash.tar", "shards/new\nline.tar")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put_bytes("a", b"one")
    with pytest.raises(ConflictError):
        storage.put_bytes("a", b"two")
    assert os.listdir(tmp_path) == ["a"]


def test_left_over_temporary_files_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / f".a.tar.{0:032x}.srd-tmp").write_bytes(b"half")
    assert LocalStorage(tmp_path).list() == []


def test_a_name_that_only_ends_like_a_temporary_file_is_shown_and_stays(tmp_path: Path) -> None:
    """Regression: `srd verify` did not name `evil.py.srd-tmp`, whoever put it there."""
    (tmp_path / "evil.py.srd-tmp").write_bytes(b"import os")
    os.utime(tmp_path / "evil.py.srd-tmp", (0, 0))
    LocalStorage(tmp_path).tidy([""])
    assert [info.key for info in LocalStorage(tmp_path).list()] == list(LocalStorage(tmp_path).names()) == ["evil.py.srd-tmp"]


def test_what_killed_writers_left_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    left = [f"{place}.tar.{number:032x}.srd-tmp" for number, place in enumerate((".a", "deep/.b", ".c", ".d", "other/.e"))]
    names = [*left[:4], "a.tar", left[4]]
    (tmp_path / "deep").mkdir()
    (tmp_path / "other").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / names[2])
    with (tmp_path / names[3]).open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        LocalStorage(tmp_path).tidy(["deep"])
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {name.removeprefix("other/") for name in names[2:]}


def test_a_file_system_without_hard_links_still_detects_conflicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    storage = LocalStorage(tmp_path)
    storage.put_bytes("a", b"one")
    storage.put_bytes("a", b"one")
    with pytest.raises(ConflictError):
        storage.put_bytes("a", b"two")
    assert storage.read_bytes("a") == b"one"


def test_a_file_where_a_folder_must_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(StorageError) as caught:
        LocalStorage(tmp_path).put_bytes("a/b", b"x")
    assert caught.value.hint


def test_a_file_for_the_upload_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.bin does not exist"):
        LocalStorage(tmp_path).put_file("a", tmp_path / "gone.bin")


def test_written_files_follow_the_umask(tmp_path: Path) -> None:
    LocalStorage(tmp_path).put_bytes("new", b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_addresses(tmp_path: Path) -> None:
    assert open_storage(f"file://{tmp_path}/a%20b").uri == f"{tmp_path}/a b"
    assert open_storage("s3://bucket/a/b/").uri == "s3://bucket/a/b"
    assert open_storage("s3://bucket").uri == "s3://bucket"
    assert is_remote("s3://bucket/x")
    assert not is_remote(str(tmp_path))
    for bad in ("http://host/x", "s3:///x", "file://host/x"):
        with pytest.raises(StorageError, match="is not a storage"):
            open_storage(bad)
    for empty in ("", "file://", "file:///", "file://localhost", "file://localhost//"):
        with pytest.raises(StorageError, match="has no name"):
            open_storage(empty)


@pytest.mark.parametrize(("mode", "shown"), [(0, "shards"), (0o444, "shards/evil.tar")])
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(common_user: Path, mode: int, shown: str) -> None:
    """Regression: `srd verify` found everything as it was written, whatever lay there. Nor does it hide what can be read."""
    storage = LocalStorage(common_user)
    storage.put_bytes("shards/evil.tar", b"x")
    storage.put_bytes("a.tar", b"x")
    (common_user / "shards").chmod(mode)
    assert storage.unlisted() == (shown,) and [info.key for info in storage.list()] == ["a.tar"]
    assert sorted(storage.names()) == ["a.tar", shown]


def test_a_root_that_cannot_be_read_is_an_error(common_user: Path) -> None:
    storage = LocalStorage(common_user / "root")
    storage.put_bytes("a.tar", b"x")
    (common_user / "root").chmod(0)
    for look in (storage.list, storage.unlisted, lambda: list(storage.names())):
        with pytest.raises(StorageError, match="Permission denied"):
            look()


def test_a_link_too_long_to_follow_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.tar").symlink_to("a" * 300)
    assert LocalStorage(tmp_path).unlisted() == ("a.tar",)


def test_a_pipe_called_like_a_temporary_file_holds_nobody_up(tmp_path: Path) -> None:
    """Regression: it was opened, and its end was waited for, just before the seal."""
    pipe = tmp_path / f".a.{0:032x}.srd-tmp"
    os.mkfifo(pipe)
    os.utime(pipe, (0, 0))
    LocalStorage(tmp_path).tidy([""])
    assert pipe.is_fifo()
    storage = LocalStorage(tmp_path / "root")
    with storage.alone("a"):
        (lock,) = (tmp_path / "root").iterdir()
    os.mkfifo(lock)
    with pytest.raises(StorageError), storage.alone("a"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of root's")
def test_the_closed_folder_of_a_disk_is_passed_over_and_nothing_else_of_that_name(common_user: Path) -> None:
    """Regression: whatever was called so was passed over by name where a sink was verified."""
    storage = LocalStorage(common_user)
    storage.put_bytes("a.tar", b"x")
    for place in (common_user / "lost+found", common_user / "below" / "lost+found"):
        place.mkdir(parents=True)
        place.chmod(0)
    assert storage.unlisted() == ("below/lost+found", "lost+found")
    (common_user / "below" / "lost+found").chmod(0o700)
    os.seteuid(0)
    os.chown(common_user / "lost+found", 0, 0)
    os.seteuid(65534)
    assert storage.unlisted() == () and list(storage.names()) == ["a.tar"]
    (common_user / "lost+found").rename(common_user / "hidden")
    (common_user / "lost+found").symlink_to("hidden")
    assert storage.unlisted() == ("hidden", "lost+found")
    (common_user / "lost+found").unlink()
    (common_user / "hidden").rmdir()
