"""What only a network can get wrong, against the real server and against sockets that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from srd_core.errors import ConflictError, StorageError, TransientStorageError
from srd_core.storage import open_storage, s3
from srd_core.storage.s3 import S3Storage


@contextmanager
def answering(reply: bytes) -> Iterator[str]:
    """Endpoint of a server that gives every request the same bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(reply)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def elsewhere(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Credentials and region set; the test sets the endpoint."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return monkeypatch


def test_listing_follows_every_page(s3_root: str, s3_server: Any) -> None:
    storage, client = open_storage(s3_root), s3_server.client()
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    for number in range(1005):
        client.put_object(Bucket=bucket, Key=f"{prefix}/{number:05}", Body=b"")
    assert len(storage.list()) == 1005


def test_neighbours_of_the_prefix_are_not_listed(s3_root: str, s3_server: Any) -> None:
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    s3_server.client().put_object(Bucket=bucket, Key=f"{prefix}-other/a", Body=b"x")
    assert open_storage(s3_root).list() == []


def test_one_odd_key_does_not_hide_the_others(s3_root: str, s3_server: Any) -> None:
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    for key in ("a.tar", "new\u200bname.tar", "marker/"):
        s3_server.client().put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=b"x")
    storage = open_storage(s3_root)
    assert ([info.key for info in storage.list()], storage.unlisted()) == (["a.tar"], ("new\u200bname.tar",))


def test_large_files_go_up_in_parts_under_the_same_rule(s3_root: str, tmp_path: Path) -> None:
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    storage = S3Storage(bucket, prefix, part_bytes=5 * 2**20)
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 45_000)
    storage.put_file("big", path)
    storage.put_file("big", path)
    assert storage.read_bytes("big") == path.read_bytes()
    path.write_bytes(bytes(11 * 2**20))
    with pytest.raises(ConflictError):
        storage.put_file("big", path)


def test_uploads_that_were_never_finished_are_given_up_after_a_day(s3_root: str, s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, _, prefix = s3_root.removeprefix("s3://").partition("/")
    client = s3_server.client()

    def unfinished() -> set[str]:
        return {upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())}

    ours, others = f"{prefix}/shards/a", {f"{prefix}-other/a", f"{prefix}/shards-of-others/a", f"{prefix}/a"}
    for key in (ours, *others):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    before = unfinished()
    open_storage(s3_root).tidy(["shards", "model"])
    assert unfinished() == before >= {ours, *others}
    monkeypatch.setattr(s3, "_ABANDONED", timedelta(0))
    open_storage(s3_root).tidy(["shards", "model"])
    assert unfinished() == before - {ours}


def test_in_a_whole_bucket_uploads_of_others_stay(s3_root: str, s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = s3_server.make_bucket("whole")
    client = s3_server.client()
    for key in ("shards/a", "somebody/a"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    monkeypatch.setattr(s3, "_ABANDONED", timedelta(0))
    open_storage(f"s3://{bucket}").tidy(["shards"])
    assert {upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]} == {"somebody/a"}


def test_fetch_reuses_the_copy_until_the_object_changes(s3_root: str, tmp_path: Path) -> None:
    storage = open_storage(s3_root)
    storage.put_bytes("x.tar", b"one")
    first = storage.fetch("x.tar", tmp_path)
    stamp = first.stat().st_mtime_ns
    assert storage.fetch("x.tar", tmp_path).stat().st_mtime_ns == stamp
    storage.put_bytes("x.tar", b"two", overwrite=True)
    assert storage.fetch("x.tar", tmp_path).read_bytes() == b"two"
    assert first.read_bytes() == b"one"


def test_wrong_credentials_and_missing_bucket_say_what_to_check(s3_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match="no such bucket"):
        open_storage("s3://there-is-none/x").list()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="access is denied") as caught:
        open_storage(s3_root).list()
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.hint
    assert not isinstance(caught.value, TransientStorageError)


def test_no_credentials_at_all_is_final(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.delenv("AWS_ACCESS_KEY_ID")
    elsewhere.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match="no usable credentials"):
        open_storage("s3://bucket/x").list()


def test_nobody_listening_may_pass(elsewhere: pytest.MonkeyPatch) -> None:
    elsewhere.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientStorageError):
        open_storage("s3://bucket/x").list()


def test_a_server_error_is_retried_and_then_may_pass(elsewhere: pytest.MonkeyPatch) -> None:
    with answering(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as endpoint:
        elsewhere.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(TransientStorageError):
            open_storage("s3://bucket/x").put_bytes("a", b"x")


@pytest.mark.parametrize("piece", [-1, 4])
def test_a_body_cut_short_is_noticed(elsewhere: pytest.MonkeyPatch, piece: int) -> None:
    reply = b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "x"\r\nConnection: close\r\n\r\nonly this'
    with answering(reply) as endpoint:
        elsewhere.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(TransientStorageError), open_storage("s3://bucket/x").open("a") as stream:
            while stream.read(piece):
                pass


def test_a_body_that_does_not_match_its_checksum_is_noticed(elsewhere: pytest.MonkeyPatch) -> None:
    reply = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "x"\r\nx-amz-checksum-crc32: AAAAAA==\r\nConnection: close\r\n\r\nevil'
    with answering(reply) as endpoint:
        elsewhere.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(TransientStorageError, match=r"(?i)checksum"):
            open_storage("s3://bucket/x").read_bytes("a")
