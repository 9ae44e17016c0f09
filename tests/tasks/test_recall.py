"""What an earlier run has made is found where the flow runs, if it is small and intact."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from srd_core.data.manifest import StageManifest
from srd_core.errors import TransientStorageError
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from tasks import recall as module
from tasks.recall import recall
from tasks.stage_task import StageTask, stage_task


def work(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    path = folder / "text.txt"
    path.write_text(f"{run.config.seed}")
    return Outcome({"text.txt": path})


STAGE = Stage("counted", work, ("seed",))
TASK: StageTask = stage_task(STAGE)


def recalled(run: Run, details: Details | None = None) -> tuple[StageManifest | None, list[str]]:
    """What is recalled in a flow run, and the states of the task runs that the server has heard of."""

    @flow(name="recalls")
    def once() -> tuple[StageManifest | None, Any]:
        from prefect.runtime import flow_run

        return recall(TASK, run, {}, details or {}), flow_run.get_id()

    found, flow_run_id = once()
    return found, [] if found is None else _states(flow_run_id)


def _states(flow_run_id: Any) -> list[str]:
    """As soon as the server knows of one; it is told behind the flow's back."""
    with get_client(sync_client=True) as client:
        for _ in range(100):
            runs = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id])))
            if any(task_run.state_name == "Cached" for task_run in runs):
                break
            time.sleep(0.1)
    return [task_run.state_name or "" for task_run in runs]


def test_nothing_is_recalled_before_it_was_made(run: Run) -> None:
    assert recalled(run) == (None, [])


def test_what_was_made_is_recalled_and_told_to_prefect_as_cached(run: Run) -> None:
    made = STAGE.execute(run, {}, {})
    assert recalled(run) == (made, ["Cached"])


def test_other_details_are_another_result(run: Run) -> None:
    STAGE.execute(run, {}, {"arm": "none"})
    assert recalled(run, {"arm": "srd"})[0] is None


@pytest.mark.parametrize("content", [None, "", "1"])
def test_a_damaged_output_is_left_to_a_worker(run: Run, content: str | None) -> None:
    made = STAGE.execute(run, {}, {})
    path = Path(made.outputs["text.txt"].uri)
    path.unlink() if content is None else path.write_text(content)
    assert recalled(run) == (None, [])


def test_a_large_result_is_left_to_a_worker(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    STAGE.execute(run, {}, {})
    monkeypatch.setattr(module, "SMALL", 0)
    assert recalled(run) == (None, [])


def test_a_storage_that_fails_for_now_is_left_to_a_worker(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    STAGE.execute(run, {}, {})

    def failing(*_: object) -> None:
        raise TransientStorageError("503")

    monkeypatch.setattr(Stage, "recorded", failing)
    assert recalled(run) == (None, [])
