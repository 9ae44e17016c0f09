"""Exactly once: whatever happens on the way, a sink ends up the same, and never holds two runs."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srd_core.config import Config
from srd_core.data.images import encode
from srd_core.data.manifest import digest
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.errors import ConflictError
from srd_core.stages.sanitize import sanitize
from srd_core.stages.seal import NAME
from srd_core.stages.stage import Run
from srd_core.stages.verification import check
from srd_core.storage import open_storage

Wipe = Callable[[], None]
ROOT = Path(__file__).parents[2]
SRD = [sys.executable, "-c", "from flows.cli import main; main()"]


def make(folder: Path, shards: int = 4, samples: int = 12) -> Path:
    """A small source."""
    folder.mkdir()
    for shard in range(shards):
        with (folder / f"s{shard}.tar").open("wb") as file, ShardWriter(file) as writer:
            for number in range(samples):
                image = np.random.default_rng(shard * 100 + number).integers(0, 255, (60, 80, 3)).astype(np.uint8)
                writer.write(Sample("s", f"{number}", encode(image, "jpg"), "jpg", (f"thing {number}",)))
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("once") / "source")


def start(source: Path, sink: str, *settings: str) -> subprocess.Popen[bytes]:
    """`srd sanitize` in a process group of its own."""
    options = [part for setting in settings for part in ("--set", setting)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen([*SRD, "sanitize", str(source), sink, *options], cwd=ROOT, start_new_session=True, **quiet)  # type: ignore[call-overload,no-any-return]


def manifest(sink: str) -> str:
    """Digest of the manifest, which names the digest of everything else."""
    assert check(sink) == []
    return digest(open_storage(sink).read_bytes(NAME).decode())


def survive(source: Path, sink: str, wipe: Wipe, kills: int) -> set[str]:
    """Kill runs at random moments and go on; the manifests of all finished sinks, that of a run that was left alone among them."""
    clock = time.perf_counter()
    assert start(source, sink).wait() == 0
    whole, manifests = time.perf_counter() - clock, {manifest(sink)}
    draw = random.Random(kills)
    while kills > 0:
        wipe()
        for _ in range(min(4, kills)):
            process = start(source, sink)
            time.sleep(draw.uniform(0.3, 1.0) * whole)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills -= 1
        finished = start(source, sink)
        assert finished.wait() == 0, finished.stderr.read() if finished.stderr else ""
        manifests.add(manifest(sink))
    return manifests


def test_kills_leave_no_trace(source: Path, tmp_path: Path) -> None:
    assert len(survive(source, str(tmp_path / "sink"), lambda: shutil.rmtree(tmp_path / "sink"), kills=8)) == 1


@pytest.mark.slow
def test_a_hundred_kills_leave_no_trace(source: Path, tmp_path: Path) -> None:
    assert len(survive(source, str(tmp_path / "sink"), lambda: shutil.rmtree(tmp_path / "sink"), kills=100)) == 1


@pytest.fixture
def remote(s3: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return "s3://stages/once"


def _empty(sink: str) -> None:
    storage = open_storage(sink)
    for info in storage.list():
        storage.delete(info.key)


@pytest.mark.slow
def test_a_hundred_kills_leave_no_trace_on_s3(source: Path, remote: str) -> None:
    assert len(survive(source, remote, lambda: _empty(remote), kills=100)) == 1


@pytest.mark.parametrize("place", ["local", "remote"])
def test_of_twenty_racing_runs_one_wins_and_the_others_are_told(
    source: Path, place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sink = str(tmp_path / "sink") if place == "local" else f"{request.getfixturevalue('remote')}-race"
    racers = [start(source, sink, f"cleanse.quality={quality}") for quality in range(60, 80)]
    codes = [racer.wait() for racer in racers]
    told = [racer.stderr.read().decode() for racer in racers if racer.stderr]
    assert sorted(codes) == [0] + [2] * 19
    assert all("belongs to a run that is different in cleanse.quality" in text for text, code in zip(told, codes, strict=True) if code)
    assert check(sink) == []
    winner = 60 + codes.index(0)
    sanitize(Run(str(source), sink, "", Config(cleanse={"quality": winner})))  # type: ignore[arg-type]


def test_runs_that_are_the_same_may_share_a_sink(source: Path, tmp_path: Path) -> None:
    racers = [start(source, str(tmp_path / "sink"), f"workers={1 + number % 3}") for number in range(6)]
    assert [racer.wait() for racer in racers] == [0] * 6
    assert check(str(tmp_path / "sink")) == []


def test_another_source_is_told_too(source: Path, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    sanitize(Run(str(source), sink, "", Config()))
    other = make(tmp_path / "other", shards=1)
    with pytest.raises(ConflictError, match=r"inputs\.source.*Choose another sink"):
        sanitize(Run(str(other), sink, "", Config()))
    assert check(sink) == []
