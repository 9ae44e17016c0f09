"""A Prefect server for the tests of this folder, and stages small enough to count their executions."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.config import Config
from srd_core.stages.stage import Run


@pytest.fixture(scope="session", autouse=True)
def _server(prefect_server: None) -> None:
    """All tests here need it."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(str(tmp_path / "source"), str(tmp_path / "sink"), str(tmp_path / "trusted"), Config())
