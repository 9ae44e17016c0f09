"""What workers leave behind when the work inside fails, and what is tried again where the flow runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from prefect import flow, task

from srd_core.errors import TransientStorageError
from srd_core.stages.stage import Run
from tasks import pipeline
from tasks.workers import workers


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
