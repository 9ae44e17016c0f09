"""An S3 server for the tests of this folder, and data small enough for a whole run in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from srd_core.scenes.dataset import write_shards
from tests.servers import seaweed


@dataclass(frozen=True)
class Data:
    """URIs of a small suspect set of two shards and a trusted set."""

    source: str
    trusted: str


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("data")
    write_shards(folder / "suspect", 20, seed=2, side=32, per_shard=10)
    write_shards(folder / "trusted", 40, seed=1, side=32)
    return Data(str(folder / "suspect"), str(folder / "trusted"))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running S3 server."""
    with seaweed(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("runs")
        yield server
