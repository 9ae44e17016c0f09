"""A Prefect server of its own for the tests of this folder, and stages small enough to count their executions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_LOGGING_LEVEL, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from srd_core.config import Config
from srd_core.stages.stage import Run


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    results = tmp_path_factory.mktemp("prefect-results")
    with (
        prefect_test_harness(server_startup_timeout=180),
        temporary_settings({PREFECT_LOCAL_STORAGE_PATH: results, PREFECT_LOGGING_LEVEL: "CRITICAL"}),
    ):
        yield


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(str(tmp_path / "source"), str(tmp_path / "sink"), str(tmp_path / "trusted"), Config())
