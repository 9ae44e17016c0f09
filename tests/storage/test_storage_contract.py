"""What every storage promises, checked on a folder and on a real S3 server."""

from __future__ import annotations

import hashlib
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from srd_core.errors import ConflictError, StorageError
from srd_core.storage import Storage, open_storage


def test_what_is_put_is_read_listed_and_measured(storage: Storage) -> None:
    info = storage.put_bytes("shards/a.tar", b"hello")
    assert (info.key, info.size) == ("shards/a.tar", 5)
    assert storage.read_bytes("shards/a.tar") == b"hello"
    assert storage.stat("shards/a.tar") == info
    assert storage.list() == [info]
    assert storage.digest("shards/a.tar") == hashlib.sha256(b"hello").hexdigest()


def test_listing_is_sorted_and_filtered_by_prefix(storage: Storage) -> None:
    for key in ("b/2", "a-1", "b/1", "a/1"):
        storage.put_bytes(key, b"x")
    assert [info.key for info in storage.list()] == sorted(["b/2", "a-1", "b/1", "a/1"])
    assert [info.key for info in storage.list("b/")] == ["b/1", "b/2"]
    assert [info.key for info in storage.list("a")] == ["a-1", "a/1"]


def test_names_are_those_of_everything(storage: Storage) -> None:
    for key in ("b/2", "a", ".hidden/x"):
        storage.put_bytes(key, b"x")
    assert sorted(storage.names()) == [".hidden/x", "a", "b/2"]


def test_an_empty_root_lists_nothing(storage: Storage) -> None:
    assert storage.list() == [] == list(storage.names())
    assert storage.stat("a") is None


def test_the_same_bytes_twice_are_done_and_other_bytes_a_conflict(storage: Storage) -> None:
    first = storage.put_bytes("a", b"one")
    assert storage.put_bytes("a", b"one").etag == first.etag
    with pytest.raises(ConflictError):
        storage.put_bytes("a", b"two")
    assert storage.read_bytes("a") == b"one"


def test_overwrite_is_possible_when_asked_for(storage: Storage) -> None:
    before = storage.put_bytes("a", b"one")
    after = storage.put_bytes("a", b"two", overwrite=True)
    assert storage.read_bytes("a") == b"two"
    assert before.etag != after.etag


def test_a_file_is_put_and_fetched(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(bytes(range(256)) * 9000)
    storage.put_file("deep/er/x.bin", source)
    assert storage.fetch("deep/er/x.bin", tmp_path / "cache").read_bytes() == source.read_bytes()
    assert storage.put_file("deep/er/x.bin", source).size == source.stat().st_size
    source.write_bytes(b"other")
    with pytest.raises(ConflictError):
        storage.put_file("deep/er/x.bin", source)


def test_a_file_is_fetched_if_it_has_the_digest_that_is_known(storage: Storage, tmp_path: Path) -> None:
    storage.put_bytes("a", b"one")
    one = hashlib.sha256(b"one").hexdigest()
    assert storage.fetch("a", tmp_path, one).read_bytes() == b"one"
    assert storage.fetch("a", tmp_path, one).read_bytes() == b"one"
    storage.put_bytes("a", b"two", overwrite=True)
    with pytest.raises(ConflictError, match="/a has other content"):
        storage.fetch("a", tmp_path, one)


def test_an_empty_object_is_an_object(storage: Storage) -> None:
    storage.put_bytes("empty", b"")
    assert storage.read_bytes("empty") == b""
    assert storage.list()[0].size == 0


def test_open_streams_in_pieces(storage: Storage) -> None:
    storage.put_bytes("a", b"abcdefgh" * 100_000)
    with storage.open("a") as stream:
        assert stream.read(3) == b"abc"
        assert stream.read(5) == b"defgh"
        assert len(stream.read()) == 799_992


def test_open_with_a_stale_etag_is_a_conflict(storage: Storage) -> None:
    old = storage.put_bytes("a", b"one").etag
    with storage.open("a", etag=old) as stream:
        assert stream.read() == b"one"
    storage.put_bytes("a", b"four", overwrite=True)
    with pytest.raises(ConflictError, match="has changed"):
        storage.open("a", etag=old)


def test_what_is_not_there_says_so(storage: Storage, tmp_path: Path) -> None:
    for action in (storage.read_bytes, storage.digest, lambda key: storage.fetch(key, tmp_path)):
        with pytest.raises(StorageError, match="does not exist"):
            action("nothing")


@pytest.mark.parametrize("key", ["", "/a", "../a", "a/../../b", "a//b", "a\\b", "a\0b", "./a", "a/", "a\nb"])
def test_keys_that_could_leave_the_root_are_refused(storage: Storage, key: str) -> None:
    with pytest.raises(StorageError, match="cannot be an object's key"):
        storage.put_bytes(key, b"x")


def test_of_many_writers_one_wins(storage: Storage) -> None:
    def put(number: int) -> bool:
        try:
            storage.put_bytes("a", b"writer %d" % number)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, good in enumerate(pool.map(put, range(8))) if good]
    assert len(won) == 1
    assert storage.read_bytes("a") == b"writer %d" % won[0]


def test_a_storage_travels_to_another_process_and_its_uri_opens_it(storage: Storage) -> None:
    storage.put_bytes("a", b"one")
    assert pickle.loads(pickle.dumps(storage)).read_bytes("a") == b"one"
    assert open_storage(storage.uri).read_bytes("a") == b"one"
    assert open_storage(storage.uri).uri == storage.uri


def test_one_at_a_time_on_a_folder_and_nobody_waits_on_s3(storage: Storage) -> None:
    inside, most = 0, 0
    busy = threading.Barrier(4)

    def work() -> None:
        nonlocal inside, most
        busy.wait()
        with storage.alone("deep/a"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.05)
            inside -= 1

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work) for _ in range(4)]:
            done.result()
    assert most == (4 if storage.uri.startswith("s3://") else 1)
    assert storage.list() == []


def test_one_who_fails_inside_lets_the_next_one_in(storage: Storage) -> None:
    with pytest.raises(ZeroDivisionError), storage.alone("a"):
        raise ZeroDivisionError
    with storage.alone("a"), storage.alone("b"):
        storage.put_bytes("a", b"one")
