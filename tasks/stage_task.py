"""A stage as a Prefect task: a name, what was found shown as cached, and another try when the failure may pass. The work is the stage's.

Prefect keeps no result and looks for none, since it reads one as the file itself asks, which may be by running code. What a stage has made
is known from the stage's own record alone, and results travel between processes in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed

from srd_core.data.manifest import StageManifest
from srd_core.errors import TransientStorageError
from srd_core.progress import about
from srd_core.stages.stage import Details, Inputs, Run, Stage

Returned = StageManifest | State[StageManifest]
"""A manifest that was made, or Prefect's state with one that was found; the task's future has the manifest as its result either way."""

StageTask = Task[[Run, Inputs, Details], Returned]

TRANSIENT = (TransientStorageError, ConnectionError, TimeoutError)
"""What may pass by waiting. A bad sample is data, a bad setting stays bad: neither is tried again."""

RETRY_DELAYS = (2, 10, 30)
"""Seconds before each further try."""


@dataclass(frozen=True)
class Perform:
    """What the task of `stage` does."""

    stage: Stage

    def __call__(self, run: Run, inputs: Inputs, details: Details) -> Returned:
        """The stage's result: found and verified, or made now."""
        found = self.stage.find(run, self.stage.key(run, inputs, details))
        if found is not None:
            return cached(found)
        with about(describe(self.stage.name, details)):
            return self.stage.execute(run, inputs, details)


def cached(manifest: StageManifest) -> State[StageManifest]:
    """The state of a task run whose result was there already."""
    return Completed(name="Cached", message="Every output of an earlier run is still there, with its digest", data=manifest)


def may_pass(task: Task[Any, Any], task_run: TaskRun, state: State[Any]) -> bool:
    """Whether the failure in `state` is worth another try."""
    return isinstance(state.result(raise_on_failure=False), TRANSIENT)


OPTIONS: Mapping[str, Any] = {
    "persist_result": False,
    "cache_policy": NO_CACHE,
    "retries": len(RETRY_DELAYS),
    "retry_delay_seconds": list(RETRY_DELAYS),
    "retry_condition_fn": may_pass,
}
"""Of every task of a run."""


def stage_task(stage: Stage) -> StageTask:
    """The task of `stage`, called with (run, inputs, details) as `Stage.execute` is; inputs may be futures of other tasks."""
    return task(name=stage.name, **OPTIONS)(Perform(stage))


def describe(name: str, details: Details) -> str:
    """The plain words among the details that the stage's name does not hold, such as `evidence p1`: what tells its runs apart."""
    return " ".join(value for value in details.values() if isinstance(value, str) and value not in name.split("-"))
