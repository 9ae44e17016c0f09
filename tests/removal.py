"""An object removed from behind a run's back, which SRD itself never does."""

from __future__ import annotations

from pathlib import Path

from srd_core.storage import Storage, is_remote
from srd_core.storage.s3_client import client


def remove(storage: Storage, key: str) -> None:
    """From a folder or a bucket."""
    if is_remote(storage.uri):
        bucket, _, prefix = storage.uri.removeprefix("s3://").partition("/")
        client().delete_object(Bucket=bucket, Key=f"{prefix}/{key}" if prefix else key)
    else:
        (Path(storage.uri) / key).unlink()
