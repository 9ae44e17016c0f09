"""Where shards come from and results go: a local folder or an S3 prefix behind one interface."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from srd_core.errors import StorageError
from srd_core.storage.base import ObjectInfo, Storage
from srd_core.storage.local import LocalStorage

__all__ = ["ObjectInfo", "Storage", "is_remote", "open_storage"]


def is_remote(uri: str) -> bool:
    """Whether `uri` names an object store rather than a local path."""
    return uri.startswith("s3://")


def open_storage(uri: str) -> Storage:
    """The storage rooted at `uri`: a folder's path, `file:///…` or `s3://bucket/prefix`. Nothing is contacted yet.

    Raises:
        StorageError: another scheme, or no bucket.
    """
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return LocalStorage(Path(uri))
    parts = urlsplit(uri)
    if scheme == "file" and parts.netloc in ("", "localhost"):
        return LocalStorage(Path(unquote(parts.path)))
    if scheme == "s3" and parts.netloc:
        from srd_core.storage.s3 import S3Storage

        return S3Storage(parts.netloc, uri.removeprefix(f"s3://{parts.netloc}").strip("/"))
    raise StorageError(f"{uri!a} is not a storage that can be opened", hint="Use a folder, file:///folder or s3://bucket/prefix")
