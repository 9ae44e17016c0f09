"""What the tests of several folders share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("srd", deadline=None)  # a busy machine is not a wrong result
settings.load_profile("srd")


@pytest.fixture
def common_user() -> Iterator[Path]:
    """A folder whose owner is the user of the test, who is not root while it lasts: root may read and write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with tempfile.TemporaryDirectory(prefix="srd-test-") as folder:
            yield Path(folder)
            for place in (Path(folder), *Path(folder).iterdir()):
                place.chmod(0o700)
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Prefect server, with its records in memory."""
    from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, PREFECT_LOGGING_LEVEL, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    results = tmp_path_factory.mktemp("prefect-results")
    with (
        prefect_test_harness(server_startup_timeout=180),
        temporary_settings({PREFECT_LOCAL_STORAGE_PATH: results, PREFECT_LOGGING_LEVEL: "CRITICAL"}),
    ):
        yield
