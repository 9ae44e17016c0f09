"""The whole run, killed at random moments, models and policy included: what it leaves is what it leaves when nothing happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kills import survive

QUICK = ["policy.dqn.steps=96", "policy.dqn.points=2"]


def cleanse(data: Any, sink: str) -> list[str]:
    return ["cleanse", data.source, sink, "--trusted", data.trusted, "--profile", "test"]


@pytest.mark.slow
def test_kills_leave_no_trace(data: Any, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    assert len(survive(cleanse(data, sink), sink, 100, QUICK)) == 1


@pytest.mark.slow
def test_kills_leave_no_trace_on_s3(data: Any, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    sink = "s3://runs/killed"
    assert len(survive(cleanse(data, sink), sink, 100, QUICK)) == 1
