"""SIGTERM, from `timeout` or a service manager, is an interruption: one line, an exit code of its own, and nothing left running.

A worker that is killed ends its run, which says so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli import cli
from tests.kills import finish, manifest, marked, start, until

STOPPED = "stopped; the same command goes on where it was"


def terminate(*_: object, **__: object) -> None:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(("command", "said"), [(["config"], "stopped"), (["sanitize", "SOURCE", "sink"], STOPPED)])
def test_termination_is_143(data: Any, monkeypatch: pytest.MonkeyPatch, command: list[str], said: str) -> None:
    """Regression: `timeout` sends it twice; the second must not end what tidies up after the first."""
    before = signal.getsignal(signal.SIGTERM)
    for name in ("config", "sanitize"):
        monkeypatch.setattr(f"flows.cli.{name}.checked", terminate)
    result = CliRunner().invoke(cli, [data.source if part == "SOURCE" else part for part in command])
    assert (result.exit_code, result.stderr, result.stdout) == (143, f"{said}\n", "")
    assert signal.getsignal(signal.SIGTERM) is before


@dataclass(frozen=True)
class Started:
    """A run that has made its base and is at other stages, and how it goes on; its processes all carry `mark`."""

    command: list[str]
    settings: list[str]
    sink: str
    mark: str
    process: subprocess.Popen[bytes]

    def goes_on(self) -> bool:
        """Whether the same command comes to an end, and leaves what it says."""
        finish(start(self.command, self.settings))
        return bool(manifest(self.sink))


@pytest.fixture(params=[1, 2])
def amidst(request: pytest.FixtureRequest, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """With so many workers."""
    mark = f"SRD_MARK={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    sink = str(tmp_path / "sink")
    command, settings = ["cleanse", data.source, sink, "--trusted", data.trusted, "--profile", "test"], [f"workers={request.param}"]
    run = Started(command, settings, sink, mark, start(command, settings))
    assert until(lambda: any((tmp_path / "sink" / "stages").glob("base/*.json")), 300)
    return run


@pytest.mark.slow
def test_a_run_whose_whole_group_is_terminated_goes_on(amidst: Started) -> None:
    """Regression: the temporary server ended first, and the run with an internal error, exit code 70."""
    assert len(marked(amidst.mark)) >= 4
    for _ in range(2):
        os.killpg(amidst.process.pid, signal.SIGTERM)
    _, errors = amidst.process.communicate(timeout=60)
    lines = errors.decode().splitlines()
    assert (amidst.process.returncode, lines[-1]) == (143, STOPPED) and "error" not in errors.decode()
    assert until(lambda: not marked(amidst.mark), 5), [Path(f"/proc/{number}/cmdline").read_text() for number in marked(amidst.mark)]
    assert amidst.goes_on()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_told_of_and_the_run_goes_on(amidst: Started) -> None:
    """Regression: it was an internal error, to be reported."""
    worker = next(number for number in marked(amidst.mark) if "spawn_main" in Path(f"/proc/{number}/cmdline").read_text())
    os.kill(int(worker), signal.SIGKILL)
    _, errors = amidst.process.communicate(timeout=120)
    *_, last = errors.decode().splitlines()
    assert amidst.process.returncode == 70
    assert last.startswith("error: a worker process has ended or was killed, probably since the machine has run out of memory")
    assert "--set workers=1" in last and "run again" in last and "internal" not in last
    assert until(lambda: not marked(amidst.mark), 20), marked(amidst.mark)
    assert amidst.goes_on()
