"""The production line of one run: tasks submitted by name, their results collected, the first failure raised as soon as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from prefect.exceptions import UpstreamTaskError
from prefect.futures import as_completed

from srd_core.data.manifest import StageManifest
from srd_core.stages.stage import Run
from tasks.stage_task import StageTask
from tasks.workers import Future, Runner

__all__ = ["Future", "Line"]


class Line:
    """Tasks of `run`, on a started runner."""

    def __init__(self, run: Run, runner: Runner) -> None:
        self.run, self._runner = run, runner
        self._futures: dict[str, Future] = {}

    def submit(self, name: str, task: StageTask, details: Mapping[str, Any] | None = None, /, **inputs: Future | StageManifest) -> Future:
        """Start `task` as soon as its `inputs` are there. `name` is how the result is known in the manifest."""
        future: Future = self._runner.submit(task, {"run": self.run, "inputs": inputs, "details": dict(details or {})})
        self._futures[name] = future
        return future

    def finish(self) -> dict[str, StageManifest]:
        """All results by name, when the last one is there.

        Raises:
            SrdError: or whatever the first task to fail raised.
        """
        for future in as_completed(list(self._futures.values())):
            with suppress(UpstreamTaskError):  # the task that it waited for tells why
                future.result()
        return {name: future.result() for name, future in self._futures.items()}
