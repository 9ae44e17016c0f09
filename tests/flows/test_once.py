"""The whole run, models and policy included, killed at random moments or on a store that fails: it leaves what it leaves undisturbed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kills import empty, finish, manifest, start, survive
from tests.proxies import at_random, spoiled

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


def ended_well(process: subprocess.Popen[bytes]) -> bool:
    process.communicate()
    return process.returncode == 0


@pytest.mark.slow
def test_requests_fail_and_nothing_is_lost(data: Any, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    sink = "s3://runs/spoiled"
    finish(start(cleanse(data, sink), QUICK))
    undisturbed = manifest(sink)
    empty(sink)
    with spoiled(s3.endpoint, at_random(0, 0.1)) as (endpoint, log):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        assert any(ended_well(start(cleanse(data, sink), QUICK)) for _ in range(5))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert sum(fault != "none" for _, _, fault in log) >= 20
    assert manifest(sink) == undisturbed
