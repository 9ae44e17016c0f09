"""The connection to an S3 store: made once a process, since making it takes a tenth of a second and a run opens storages by the hundred."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}


def client() -> Any:
    """The client for the settings and credentials that hold now; another one after they have changed, or in another process."""
    return _made(os.getpid(), tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_"))), _changed())


@lru_cache(maxsize=8)
def _made(process: int, settings: tuple[tuple[str, str], ...], changed: tuple[int, ...]) -> Any:
    """A client that reads the environment itself; the arguments tell one state of it from another."""
    own = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & dict(settings).keys()
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=10,
        read_timeout=60,
        s3={"addressing_style": "path" if own else "auto"},
    )
    return boto3.session.Session().client("s3", config=config)


def _changed() -> tuple[int, ...]:
    """When each of the AWS tools' files was changed last; 0 for one that is not there."""
    times = []
    for name, usual in _FILES.items():
        times.append(0)
        with suppress(OSError, RuntimeError):
            times[-1] = Path(os.environ.get(name, usual)).expanduser().stat().st_mtime_ns
    return tuple(times)
