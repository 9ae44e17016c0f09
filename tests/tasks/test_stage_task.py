"""A task is its stage, cached only while its outputs hold, tried again only when waiting may help."""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from srd_core.data.manifest import StageManifest
from srd_core.errors import ConfigError, SourceError, SrdError, TransientStorageError
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from tasks.stage_task import StageTask, may_pass, stage_task
from tasks.workers import workers


class Counted:
    """A stage that writes one file and counts how often it worked; `failures` are raised first, one a call."""

    def __init__(self, *failures: Exception) -> None:
        self.calls = 0
        self.failures = list(failures)
        self.stage = Stage("counted", self.work, ("seed",))
        self.task: StageTask = stage_task(self.stage).with_options(retry_delay_seconds=0)

    def work(self, run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        path = folder / "text.txt"
        path.write_text(f"{run.config.seed} {sorted(inputs)} {dict(details)}")
        return Outcome({"text.txt": path}, {"calls": self.calls})


def states(task: StageTask, run: Run, details: Details | None = None, times: int = 1) -> list[Any]:
    """Final states of calling the task `times` times, each in a flow run of its own."""

    @flow(name="calls-one-task")
    def once() -> Any:
        return task(run, {}, details or {}, return_state=True)

    return [once(return_state=True).result(raise_on_failure=False) for _ in range(times)]


def output(run: Run, manifest: StageManifest) -> Path:
    return Path(manifest.outputs["text.txt"].uri)


def test_the_task_returns_what_the_stage_returns(run: Run) -> None:
    counted = Counted()
    made = counted.task(run, {}, {"arm": "none"})
    assert made == counted.stage.find(run, counted.stage.key(run, {}, {"arm": "none"}))


def test_a_second_call_is_cached(run: Run) -> None:
    counted = Counted()
    first, second = states(counted.task, run, times=2)
    assert (first.name, second.name, counted.calls) == ("Completed", "Cached", 1)
    assert first.result() == second.result()


def test_other_details_are_another_result(run: Run) -> None:
    counted = Counted()
    states(counted.task, run, {"arm": "none"})
    states(counted.task, run, {"arm": "srd"})
    assert counted.calls == 2


def test_what_the_stage_does_not_read_does_not_matter(run: Run) -> None:
    counted = Counted()
    states(counted.task, run)
    same = Run(run.source, run.sink, run.trusted, run.config.model_copy(update={"workers": 7}))
    assert states(counted.task, same)[0].name == "Cached"
    other = Run(run.source, run.sink, run.trusted, run.config.model_copy(update={"seed": 7}))
    assert states(counted.task, other)[0].name == "Completed"


def delete(path: Path) -> None:
    path.unlink()


def alter(path: Path) -> None:
    path.write_text("x" * path.stat().st_size)


def empty(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize("damage", [delete, alter, empty])
def test_a_damaged_output_is_made_again(run: Run, damage: Callable[[Path], None]) -> None:
    counted = Counted()
    path = output(run, states(counted.task, run)[0].result())
    before = path.read_bytes()
    damage(path)
    again, after = states(counted.task, run, times=2)
    assert (again.name, after.name, counted.calls) == ("Completed", "Cached", 2)
    assert path.read_bytes() == before


def test_a_lost_record_is_made_again(run: Run) -> None:
    counted = Counted()
    states(counted.task, run)
    for record in Path(run.sink).glob("stages/counted/*.json"):
        record.unlink()
    assert states(counted.task, run)[0].name == "Completed"
    assert counted.calls == 2


def test_what_the_stage_made_without_prefect_is_enough(run: Run) -> None:
    counted = Counted()
    made = counted.stage.execute(run, {}, {})
    state = states(counted.task, run)[0]
    assert (state.name, state.result(), counted.calls) == ("Cached", made, 1)


def write(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    """For worker processes."""
    (folder / "text.txt").write_text(f"{[manifest.facts for manifest in inputs.values()]}")
    return Outcome({"text.txt": folder / "text.txt"}, {"inputs": len(inputs)})


@pytest.mark.parametrize("count", [1, 2])
def test_workers_hand_on_what_was_made_and_what_was_found(run: Run, count: int) -> None:
    task: StageTask = stage_task(Stage("written", write, ()))

    @flow(name="two-in-a-row")
    def twice() -> list[Any]:
        with workers(count) as runner:
            first = runner.submit(task, {"run": run, "inputs": {}, "details": {}})
            second = runner.submit(task, {"run": run, "inputs": {"first": first}, "details": {}})
            return [second.result(), first.result(), first.state.name, second.state.name]

    *made, _, name = twice()
    assert ([manifest.facts for manifest in made], name) == ([{"inputs": 1}, {"inputs": 0}], "Completed")
    assert twice() == [*made, "Cached", "Cached"]


class Trap:
    """Whoever unpickles it leaves a sign."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sign,)


def test_nothing_is_read_from_prefects_store_and_nothing_written(run: Run, tmp_path: Path) -> None:
    """Regression: a record there is read as it asks itself, by running its code too, and what that gave was taken for the result."""
    counted, store, sign = Counted(), tmp_path / "store", tmp_path / "sign"
    key = counted.stage.key(run, {}, {})
    asked = {"storage_key": key, "serializer": {"type": "pickle"}, "prefect_version": "3.8.8"}
    store.mkdir()
    (store / key).write_text(json.dumps({"metadata": asked, "result": base64.b64encode(pickle.dumps(Trap(sign))).decode()}))
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: store}):
        first, second = states(counted.task, run, times=2)
    assert (first.name, second.name, counted.calls) == ("Completed", "Cached", 1)
    assert not sign.exists() and [file.name for file in store.iterdir()] == [key]


@pytest.mark.parametrize("failure", [ConfigError("bad", hint="mend it"), SourceError("none"), ValueError("a bug")])
def test_what_stays_bad_is_tried_once(run: Run, failure: Exception) -> None:
    counted = Counted(failure, failure)
    state = states(counted.task, run)[0]
    assert (state.is_failed(), counted.calls) == (True, 1)


@pytest.mark.parametrize("failure", [TransientStorageError("503"), TimeoutError("slow"), ConnectionResetError("cut")])
def test_what_may_pass_is_tried_again(run: Run, failure: Exception) -> None:
    counted = Counted(failure, failure)
    state = states(counted.task, run)[0]
    assert (state.is_completed(), counted.calls) == (True, 3)


def test_tries_come_to_an_end(run: Run) -> None:
    counted = Counted(*[TransientStorageError("503", hint="wait")] * 9)
    state = states(counted.task, run)[0]
    assert state.is_failed()
    assert counted.calls == 4


def test_the_caller_gets_the_error_itself(run: Run) -> None:
    counted = Counted(SourceError("no shards", hint="look elsewhere"))
    with pytest.raises(SrdError, match=r"no shards\. look elsewhere"):
        counted.task(run, {}, {})


def test_a_full_disk_is_not_retried() -> None:
    from prefect.states import Failed

    assert not may_pass(None, None, Failed(data=OSError(28, "No space left on device")))  # type: ignore[arg-type]


def test_a_task_is_called_like_its_stage() -> None:
    assert Counted().task.name == "counted"
