"""What workers leave behind when the work inside fails, and what is tried again where the flow runs."""

from __future__ import annotations

import concurrent.futures
import os
import tempfile
import time
import uuid
from pathlib import Path

import pytest
import torch
from prefect import flow, task
from prefect.exceptions import UpstreamTaskError
from prefect.futures import PrefectConcurrentFuture

from srd_core import hardware
from srd_core.errors import ConfigError, ConflictError, TransientStorageError
from srd_core.stages.code import adopt, taken, tree_digest
from srd_core.stages.stage import Run
from tasks import pipeline
from tasks.patience import Patient
from tasks.workers import workers
from tests.kills import until


@task(persist_result=False)
def leave() -> str:
    return tempfile.mkdtemp(prefix="srd-left-")


@pytest.mark.parametrize("fails", [False, True])
def test_temporary_files_of_workers_are_gone_afterwards(fails: bool) -> None:
    places: list[Path] = []

    @flow
    def work() -> None:
        with workers(2) as runner:
            places.append(Path(runner.submit(leave, {}).result()))
            assert places[0].is_dir()
            if fails:
                raise ValueError("inside")

    if fails:
        with pytest.raises(ValueError, match="inside"):
            work()
    else:
        work()
    assert not places[0].parent.exists() and places[0].parent.name.startswith("srd-workers-")


@task(persist_result=False)
def threads() -> int:
    return torch.get_num_threads()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_one_worker_computes_on_as_many_threads_as_one_of_two(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a single one took all cores, and results depend on the number of threads."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(2)

    @flow
    def work() -> int:
        with workers(count) as runner:
            return runner.submit(threads, {}).result()  # type: ignore[no-any-return]

    try:
        assert work() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("said", "meant"), [("", 1), ("4,2", 4), (" 2 ", 2)])
def test_what_openmp_takes_for_a_number_of_threads_is_one(said: str, meant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: with an empty one or a list no worker started, and the message blamed memory."""
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert hardware.threads() == meant


@pytest.mark.parametrize("said", ["x", "0", "-1", "²", "99999"])
def test_what_is_no_number_of_threads_is_told_before_any_worker_starts(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    with pytest.raises(ConfigError, match="OMP_NUM_THREADS"), workers(1):
        pytest.fail("it started")


@task(persist_result=False)
def process() -> int:
    return os.getpid()


@pytest.mark.parametrize("count", [0, 1])
def test_a_worker_is_a_process_and_without_any_there_is_this_one(count: int) -> None:
    @flow
    def work() -> int:
        with workers(count) as runner:
            return runner.submit(process, {}).result()  # type: ignore[no-any-return]

    assert (work() == os.getpid()) == (count == 0)


@task(persist_result=False)
def code() -> str:
    return tree_digest(taken())


def test_workers_go_by_the_code_of_the_process_that_started_them(run: Run) -> None:
    """Regression: a worker that started after an edit made a part of the run with the new code, and the run was known by the old."""
    real, told = taken(), []

    @flow
    def work() -> None:
        with workers(1) as runner:
            told.append(runner.submit(code, {}).result())
            with pytest.raises(ConflictError, match="which stage spar needs, has been edited since this run started"):
                runner.submit(pipeline.spar, {"run": run, "inputs": {}, "details": {}}).result()

    adopt({**real, "seeds.py": b"# as it was when the run started"})
    try:
        work()
        assert told == [tree_digest(taken())] != [tree_digest(real)]
    finally:
        adopt(real)


@task(persist_result=False)
def linger(sign: Path) -> None:
    sign.touch()
    time.sleep(600)


@pytest.mark.parametrize("count", [1, 2])
def test_what_runs_is_not_waited_for_when_the_work_is_interrupted(count: int, tmp_path: Path) -> None:
    """Regression: the only worker was a thread, and Ctrl-C waited for it."""
    interrupted: list[float] = []

    @flow
    def work() -> None:
        with workers(count) as runner:
            runner.submit(linger, {"sign": tmp_path / "sign"})
            assert until((tmp_path / "sign").exists, 300)
            interrupted.append(time.monotonic())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - interrupted[0] < 60


@task(persist_result=False)
def wait_for(sign: Path) -> None:
    until = time.monotonic() + 60
    while not sign.exists() and time.monotonic() < until:
        time.sleep(0.05)
    raise ValueError("those that waited for this need not run")


@task(persist_result=False)
def show(sign: Path) -> str:
    sign.touch()
    return "shown"


def test_however_many_tasks_wait_others_are_started(tmp_path: Path) -> None:
    """Regression: 256 that waited for thresholds kept every other from its worker."""
    sign, told = tmp_path / "sign", []

    @flow
    def work() -> None:
        with workers(2) as runner:
            first = runner.submit(wait_for, {"sign": sign})
            waiting = [runner.submit(show, {"sign": {"made": first}}) for _ in range(300)]
            told.append(runner.submit(show, {"sign": sign}).result(timeout=40))
            for future in waiting:
                with pytest.raises(UpstreamTaskError):
                    future.result()

    work()
    assert told == ["shown"]


def test_a_call_waits_for_all_that_it_asks_for_and_nobody_for_it() -> None:
    first, second = (concurrent.futures.Future[str]() for _ in range(2))
    asked = [PrefectConcurrentFuture(uuid.uuid4(), future) for future in (first, second)]
    with Patient(max_workers=1) as patient:
        waiting = patient.submit(lambda inputs, after: [inputs["one"].result(), after[0].result()], {"one": asked[0]}, after=(asked[1],))
        assert patient.submit(lambda: "at once").result(timeout=10) == "at once"
        first.set_result("one")
        assert not waiting.running() and not waiting.done()
        second.set_result("two")
        assert waiting.result(timeout=10) == ["one", "two"]
        fails = patient.submit(lambda inputs: inputs[0].result(), [PrefectConcurrentFuture(uuid.uuid4(), _failed())])
        with pytest.raises(ValueError, match="inside"):
            fails.result(timeout=10)
        late: concurrent.futures.Future[str] = concurrent.futures.Future()
        never = patient.submit(print, PrefectConcurrentFuture(uuid.uuid4(), late))
    late.set_result("too late")
    assert never.cancelled()


def _failed() -> concurrent.futures.Future[str]:
    future: concurrent.futures.Future[str] = concurrent.futures.Future()
    future.set_exception(ValueError("inside"))
    return future


def test_a_sink_is_claimed_again_when_the_store_fails_for_now(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Run] = []

    def claim(run: Run, inputs: object) -> None:
        tries.append(run)
        if len(tries) < 3:
            raise TransientStorageError("503")

    monkeypatch.setattr(pipeline, "claim", claim)

    @flow
    def work() -> None:
        pipeline.claim_sink.with_options(retry_delay_seconds=0)(run, {})

    work()
    assert len(tries) == 3
