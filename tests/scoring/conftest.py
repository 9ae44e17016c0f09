"""Where the shared captions and reference scores are, when they are there at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def metric_gold() -> Path:
    """Folder with reference metric scores: under SRD_TEST_DATA, or in `shared/data` beside the repository."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("SRD_TEST_DATA", beside)) / "metric_gold"
    if not folder.is_dir():
        pytest.skip("no reference metric scores: set SRD_TEST_DATA")
    return folder
