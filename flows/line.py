"""The production line of one run: tasks submitted by name, their results collected, the first failure raised as soon as it happens.

What an earlier run has finished is found again at once, and no worker is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from prefect.exceptions import UpstreamTaskError
from prefect.futures import as_completed

from srd_core.data.manifest import StageManifest
from srd_core.stages.stage import Run
from tasks.recall import recall
from tasks.stage_task import StageTask
from tasks.workers import Future, Runner

Made = Future | StageManifest
"""What a task has made, or will have."""


class Line:
    """Tasks of `run`, on a started runner."""

    def __init__(self, run: Run, runner: Runner) -> None:
        self.run, self._runner = run, runner
        self._made: dict[str, Made] = {}

    def submit(
        self, name: str, task: StageTask, details: Mapping[str, Any] | None = None, after: Sequence[Made] = (), /, **inputs: Made
    ) -> Made:
        """Start `task` as soon as its `inputs` are there, and `after` is done. `name` is how the result is known in the manifest."""
        details = dict(details or {})
        there = {label: item for label, item in inputs.items() if isinstance(item, StageManifest)}
        made: Made | None = recall(task, self.run, there, details) if len(there) == len(inputs) else None
        if made is None:
            made = self._runner.submit(task, {"run": self.run, "inputs": inputs, "details": details}, wait_for=_futures(after))
        self._made[name] = made
        return made

    def finish(self) -> dict[str, StageManifest]:
        """All results by name, when the last one is there.

        Raises:
            SrdError: or whatever the first task to fail raised.
        """
        for future in as_completed(_futures(self._made.values())):
            with suppress(UpstreamTaskError):  # the task that it waited for tells why
                future.result()
        return {name: item if isinstance(item, StageManifest) else item.result() for name, item in self._made.items()}


def _futures(made: Iterable[Made]) -> list[Future]:
    return [item for item in made if not isinstance(item, StageManifest)]
