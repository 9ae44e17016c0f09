"""How long work tells that it is still going, from any process, without knowing who watches.

`track` wraps an iterable and writes its state to a small file in the folder named by the environment variable SRD_PROGRESS
(nothing is written when it is unset). Whoever wants to show it reads the folder: a terminal, a log, a Prefect artifact.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from srd_core.storage.whole import replaced

FOLDER_VARIABLE = "SRD_PROGRESS"
_EVERYTHING = "SRD_ABOUT"
_INTERVAL = 0.5
_stage: ContextVar[str] = ContextVar("srd_stage", default="")
_about: ContextVar[str] = ContextVar("srd_about", default="")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """Where one piece of work stands. `total` is 0 when unknown; times are seconds since the epoch.

    Without a label it is a whole stage: 0 of 1 while it runs, 1 of 1 when it has succeeded.
    """

    stage: str
    label: str
    done: int
    total: int
    started: float
    updated: float

    @property
    def seconds_left(self) -> float | None:
        """Time left at the pace so far; None before there is a pace."""
        if not self.done or not self.total:
            return None
        return (self.updated - self.started) / self.done * (self.total - self.done)


@contextmanager
def about(text: str) -> Iterator[None]:
    """Stages inside are called NAME TEXT, to tell runs of one stage apart."""
    token = _about.set(text)
    try:
        yield
    finally:
        _about.reset(token)


@contextmanager
def everything_about(text: str) -> Iterator[None]:
    """Like `about`, for this whole process and the workers that it starts inside."""
    before = os.environ.get(_EVERYTHING)
    os.environ[_EVERYTHING] = text
    try:
        yield
    finally:
        if before is None:
            del os.environ[_EVERYTHING]
        else:
            os.environ[_EVERYTHING] = before


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Everything tracked inside belongs to the stage `name`; its start and its success are told as well."""
    full = " ".join(filter(None, (name, _about.get(), os.environ.get(_EVERYTHING))))
    token = _stage.set(full)
    folder, started = os.environ.get(FOLDER_VARIABLE), time.time()
    try:
        if folder:
            _write(Path(folder), State(full, "", 0, 1, started, started))
        yield
        if folder:
            _write(Path(folder), State(full, "", 1, 1, started, time.time()))
    finally:
        _stage.reset(token)


def track(items: Iterable[T], label: str, *, total: int = 0) -> Iterator[T]:
    """Yield `items`, telling the watcher at most twice a second how many are done."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        yield from items
        return
    started = last = time.time()
    done = 0
    _write(Path(folder), State(_stage.get(), label, 0, total, started, started))
    for item in items:
        yield item
        done += 1
        now = time.time()
        if now - last >= _INTERVAL:
            last = now
            _write(Path(folder), State(_stage.get(), label, done, total, started, now))
    _write(Path(folder), State(_stage.get(), label, done, max(total, done), started, time.time()))


@contextmanager
def ticker(label: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """For work that is not a loop of one's own: call what is yielded with the number done so far."""
    folder = os.environ.get(FOLDER_VARIABLE)
    started = time.time()

    def tell(done: int) -> None:
        if folder:
            _write(Path(folder), State(_stage.get(), label, done, total, started, time.time()))

    tell(0)
    yield tell
    tell(total)


@contextmanager
def counter(label: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """Like `ticker`, but what is yielded is called with how much was done since the last call."""
    with ticker(label, total=total) as tell:
        done = 0

        def more(amount: int) -> None:
            nonlocal done
            done += amount
            tell(min(done, total))

        yield more


def read_states(folder: Path) -> list[State]:
    """Every piece of work that has reported, oldest first."""
    states = []
    for path in folder.glob("*.json"):
        try:
            states.append(State(**json.loads(path.read_text())))
        except (OSError, ValueError, TypeError):
            continue  # being replaced this very moment: the next look finds it
    return sorted(states, key=lambda state: state.started)


def _write(folder: Path, state: State) -> None:
    name = hashlib.sha256(f"{os.getpid()}-{state.stage}-{state.label}".encode()).hexdigest()  # labels hold names of any length
    with replaced(folder / f"{name}.json") as file:
        file.write_text(json.dumps(asdict(state)))
