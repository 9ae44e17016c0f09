"""One S3 server for all storage tests, and the two kinds of storage behind one fixture."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srd_core.storage import Storage, open_storage

_NUMBERS = itertools.count()


def _servers() -> Any:
    """`tests/servers.py`; the test directories are no packages, so it is loaded by path."""
    if "srd_test_servers" not in sys.modules:
        spec = importlib.util.spec_from_file_location("srd_test_servers", Path(__file__).parents[1] / "servers.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["srd_test_servers"] = module
        spec.loader.exec_module(module)
    return sys.modules["srd_test_servers"]


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running SeaweedFS."""
    with _servers().seaweed(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_bucket(s3_server: Any) -> str:
    """The bucket that all tests share, each under its own prefix."""
    return str(s3_server.make_bucket("bucket"))


@pytest.fixture
def s3_root(s3_server: Any, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URI of an empty prefix; the environment points at the server."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_bucket}/some/prefix-{next(_NUMBERS)}"


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URI of an empty root of either kind."""
    return str(tmp_path / "root") if request.param == "local" else str(request.getfixturevalue("s3_root"))


@pytest.fixture
def storage(root: str) -> Storage:
    """An empty storage of either kind."""
    return open_storage(root)
