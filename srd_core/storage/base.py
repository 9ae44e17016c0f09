"""One small interface over a folder and an S3 prefix.

A put creates or finds the same bytes; other bytes under the same key are a `ConflictError` unless the caller says `overwrite`. The claim of
a sink and the note that a set was told of are put without it, so of several writers one wins; results, which are the same whoever writes
them, with.
Readers never see half an object. Keys are relative, `/`-separated and cannot leave the root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol

from srd_core.errors import ConflictError, StorageError

CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a listing knows: `key` relative to the root, `size` in bytes, `etag` that changes when the content does (opaque)."""

    key: str
    size: int
    etag: str


class Storage(Protocol):
    """A root under which objects live. Every method raises StorageError (TransientStorageError if a retry may help)."""

    @property
    def uri(self) -> str:
        """The root, as `open_storage` takes it; without a slash at the end."""

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """Objects whose key begins with `prefix` (plain text, not a folder), sorted by key; empty if there are none.

        What cannot be an object's key is left out, so that one odd name does not hide the others.
        """

    def names(self) -> Iterator[str]:
        """Of everything that lies here, objects or not, as they are found: who has seen enough need not wait for the end of the listing."""

    def unlisted(self) -> tuple[str, ...]:
        """What lies here and is no object, sorted: names that cannot be a key; on a folder, also special files, links that lead
        out, and folders that cannot be read, but for root's `lost+found` of a disk.
        """

    def stat(self, key: str) -> ObjectInfo | None:
        """The object, or None if there is none."""

    def open(self, key: str, etag: str | None = None) -> BinaryIO:
        """A stream over the content, to be closed. With `etag`, ConflictError if the object is another one by now."""

    def read_bytes(self, key: str) -> bytes:
        """The whole content."""

    def put_file(self, key: str, path: Path, overwrite: bool = False) -> ObjectInfo:
        """Store the content of a local file. ConflictError if other bytes are there and `overwrite` is False."""

    def put_bytes(self, key: str, data: bytes, overwrite: bool = False) -> ObjectInfo:
        """Store `data`, like `put_file`."""

    def digest(self, key: str) -> str:
        """SHA-256 of the content as read now, in hex."""

    def tidy(self, folders: Collection[str]) -> None:
        """Remove what killed writers have left in these folders and listings do not show; what is being written now stays.

        Only there: the root may be a whole bucket, in which others write too.
        """

    def alone(self, key: str) -> AbstractContextManager[object]:
        """A lock on `key`: while one process is inside, others that ask for the same key wait at the door.

        It holds between the processes of one machine that share a folder. On S3 there is no lock: nobody waits.
        """

    def fetch(self, key: str, folder: Path, sha256: str | None = None) -> Path:
        """A local file with the content: the object itself if it is local (do not change it), else a copy in `folder`.

        ConflictError if `sha256` is given and the content has another digest.
        """


def is_key(name: str) -> bool:
    """Whether `name` is a relative path of plain parts, which cannot leave the root or mean two places."""
    return name.isprintable() and "\\" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def checked_key(key: str) -> str:
    """`key` if it can be one. Raises StorageError for anything that could leave the root or mean two places."""
    if not is_key(key):
        raise StorageError(f"{key[:120]!a} cannot be an object's key", hint="Use relative names such as shards/000.tar")
    return key


def short(name: str) -> str:
    """The beginning of a name, at most 60 bytes of it, for files that stand beside it while it is written."""
    return name.encode()[:60].decode(errors="ignore")


def stream_digest(stream: BinaryIO) -> str:
    """SHA-256 of the rest of `stream`, in hex."""
    total = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        total.update(chunk)
    return total.hexdigest()


def unchanged_digest(path: Path) -> str:
    """As `file_digest`, but read again only when the file is in another state: weights and shards are large, and many ask."""
    status = path.stat()
    return _digest_of(path.resolve(), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=2**16)
def _digest_of(path: Path, *state: int) -> str:
    return file_digest(path)


def file_digest(path: Path) -> str:
    """SHA-256 of a local file, in hex."""
    with path.open("rb") as file:
        return stream_digest(file)


def altered(uri: str) -> ConflictError:
    """The error for an object that is no longer what it was when its digest was taken."""
    return ConflictError(
        f"{uri} has other content than when its digest was taken",
        hint="Somebody else writes there. Run again: what was made here is made anew",
    )


def conflict(uri: str) -> ConflictError:
    """The error for a key that is taken by other bytes."""
    return ConflictError(f"{uri} exists with other content", hint="Choose another sink, or remove the object if it is left over")
