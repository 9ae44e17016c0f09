"""The whole run, models and policy included, killed at random moments or on a store that fails: it leaves what it leaves undisturbed."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from flows.settings import prefect_server
from tests.kills import empty, finish, manifest, marked, start, survive, until
from tests.proxies import at_random, spoiled

QUICK = ["policy.dqn.steps=96", "policy.dqn.points=2"]


def cleanse(data: Any, sink: str) -> list[str]:
    return ["cleanse", data.source, sink, "--trusted", data.trusted, "--profile", "test"]


@pytest.mark.slow
def test_the_order_of_sets_leaves_no_trace(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = set()
    for seed in ("0", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        sink = str(tmp_path / "sink")
        finish(start(cleanse(data, sink), QUICK))
        manifests.add(manifest(sink))
        empty(sink)
    assert len(manifests) == 1


@pytest.mark.slow
def test_kills_leave_no_trace(data: Any, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    assert len(survive(cleanse(data, sink), sink, 100, QUICK)) == 1


@pytest.mark.slow
def test_kills_leave_no_trace_on_s3(data: Any, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    sink = "s3://runs/killed"
    with prefect_server(lambda: None):  # one that outlives the runs, as it is operated
        assert len(survive(cleanse(data, sink), sink, 100, QUICK)) == 1


def test_nothing_outlives_a_run_that_is_killed(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"SRD_MARK={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    run = start(cleanse(data, str(tmp_path / "sink")), ["workers=2"])
    assert until(lambda: any((tmp_path / "sink" / "stages").glob("base/*.json")), 300)
    assert len(marked(mark)) >= 4 and list(scratch.glob("srd-workers-*"))
    run.kill()
    run.communicate()
    assert until(lambda: not marked(mark), 20), [Path(f"/proc/{number}/cmdline").read_text() for number in marked(mark)]
    assert not list(scratch.glob("srd-workers-*"))


def test_the_server_does_not_outlive_a_run_that_is_killed_while_it_starts(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: it was watched only once it had answered, and else was left for good."""
    mark = f"SRD_MARK={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    run = start(cleanse(data, str(tmp_path / "sink")))
    assert until(lambda: any("uvicorn" in command_of(number) for number in marked(mark)), 60)
    run.kill()
    run.communicate()
    assert not (tmp_path / "sink").exists()
    assert until(lambda: not marked(mark), 5), [command_of(number) for number in marked(mark)]


def command_of(number: str) -> str:
    try:
        return Path(f"/proc/{number}/cmdline").read_text()
    except OSError:
        return ""


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
