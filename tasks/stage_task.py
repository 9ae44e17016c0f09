"""A stage as a Prefect task: a name, a verified cache, and another try when the failure may pass. The work itself is the stage's."""

from __future__ import annotations

from typing import Any

from prefect import Task, task
from prefect.client.schemas.objects import State, TaskRun

from srd_core.data.manifest import StageManifest
from srd_core.errors import TransientStorageError
from srd_core.progress import about
from srd_core.stages.stage import Details, Inputs, Run, Stage
from tasks.caching import ManifestSerializer, VerifiedStage

StageTask = Task[[Run, Inputs, Details], StageManifest]

TRANSIENT = (TransientStorageError, ConnectionError, TimeoutError)
"""What may pass by waiting. A bad sample is data, a bad setting stays bad: neither is tried again."""

RETRY_DELAYS = (2, 10, 30)
"""Seconds before each further try."""


def stage_task(stage: Stage) -> StageTask:
    """The task of `stage`, called with (run, inputs, details) as `Stage.execute` is; inputs may be futures of other tasks."""

    @task(
        name=stage.name,
        persist_result=True,
        result_serializer=ManifestSerializer(),
        cache_policy=VerifiedStage(stage=stage),
        retries=len(RETRY_DELAYS),
        retry_delay_seconds=list(RETRY_DELAYS),
        retry_condition_fn=may_pass,
    )
    def perform(run: Run, inputs: Inputs, details: Details) -> StageManifest:
        with about(describe(stage.name, details)):
            return stage.execute(run, inputs, details)

    return perform


def describe(name: str, details: Details) -> str:
    """The plain words among the details that the stage's name does not hold, such as `evidence p1`: what tells its runs apart."""
    return " ".join(value for value in details.values() if isinstance(value, str) and value not in name.split("-"))


def may_pass(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure in `state` is worth another try."""
    return isinstance(state.result(raise_on_failure=False), TRANSIENT)
