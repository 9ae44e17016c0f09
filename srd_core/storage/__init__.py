"""Where shards come from and results go: a local folder or an S3 prefix behind one interface."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from srd_core.errors import StorageError
from srd_core.storage.base import ObjectInfo, Storage
from srd_core.storage.local import LocalStorage

__all__ = ["ObjectInfo", "Storage", "file_at", "is_remote", "local_path", "open_storage", "unnamed"]


def is_remote(uri: str) -> bool:
    """Whether `uri` names an object store rather than a local path."""
    return uri.startswith("s3://")


def open_storage(uri: str) -> Storage:
    """The storage rooted at `uri`: a folder's path, `file:///…` or `s3://bucket/prefix`. Nothing is contacted yet.

    Raises:
        StorageError: another scheme, or no bucket.
    """
    if not is_remote(uri):
        return LocalStorage(local_path(uri))
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket:
        raise _unknown(uri)
    from srd_core.storage.s3 import S3Storage

    return S3Storage(bucket, prefix.strip("/"))


def file_at(uri: str) -> tuple[Storage, str]:
    """The storage that the file at `uri` lies in, and its key there.

    Raises:
        StorageError: as `open_storage`.
    """
    if not is_remote(uri):
        path = local_path(uri)
        return LocalStorage(path.parent), path.name
    folder, _, name = uri.rpartition("/")
    return open_storage(folder), name


def local_path(uri: str) -> Path:
    """The path that a local URI means: a path as it is, or that of `file:///…`, in which `%20` and the like stand for other characters.

    Raises:
        StorageError: nothing, another scheme, another host's file, or the home of a user who is not there.
    """
    if not uri:
        raise unnamed()
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return _expanded(uri)
    host, slash, path = rest.partition("/")
    if scheme != "file" or host not in ("", "localhost"):
        raise _unknown(uri)
    if not path.strip("/"):
        raise unnamed()
    return Path(unquote(slash + path))


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user = path.partition("/")[0]
        raise StorageError(f"{path!a} begins with a home that is not there", hint=f"Write ./{user} for a folder of that name") from error


def unnamed() -> StorageError:
    """What is said where a place should be and nothing is."""
    return StorageError("a place has no name", hint="A variable may be unset; write . for the working folder")


def _unknown(uri: str) -> StorageError:
    return StorageError(f"{uri!a} is not a storage that can be opened", hint="Use a folder, file:///folder or s3://bucket/prefix")
