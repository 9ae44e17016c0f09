"""Finished stages are found again where the flow runs. A worker process takes longer to start than most stages' files take to check.

Large results (cleansed shards by the thousand) are left to the workers, which check several at a time.
"""

from __future__ import annotations

from typing import cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from srd_core.data.manifest import StageManifest
from srd_core.errors import TransientStorageError
from srd_core.progress import about
from srd_core.progress import stage as progress_stage
from srd_core.stages.stage import Details, Inputs, Run, Stage
from tasks.stage_task import Perform, StageTask, cached, describe

SMALL = 64 << 20
"""Bytes of a result that is checked at once."""


def recall(known: StageTask, run: Run, inputs: Inputs, details: Details) -> StageManifest | None:
    """What the task made in an earlier run, if all of it is still there; recorded as a cached task run. None: submit it."""
    stage = cast(Perform, known.fn).stage
    try:
        recorded = stage.recorded(run, stage.key(run, inputs, details))
        if recorded is None or sum(ref.size for ref in recorded.outputs.values()) > SMALL or not stage.intact(recorded):
            return None
    except TransientStorageError:  # the task looks again, and is tried again
        return None
    with about(f"{describe(stage.name, details)} from an earlier run".strip()), progress_stage(stage.name):
        _tell_prefect(stage, recorded)
    return recorded


def _tell_prefect(stage: Stage, manifest: StageManifest) -> None:
    @task(name=stage.name, cache_policy=NO_CACHE, persist_result=False)
    def recalled() -> State[StageManifest]:
        return cached(manifest)

    recalled()
