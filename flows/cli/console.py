"""What the user sees while work is going on: bars with the time left on a terminal, plain lines in a log. All on stderr.

Work tells how far it is through files in the folder named by SRD_PROGRESS (`srd_core.progress`), from whichever process; this reads them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from srd_core.progress import FOLDER_VARIABLE, State, read_states

_LOOK = 0.5
_LINE_EVERY = 10.0


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def watching() -> Iterator[None]:
    """Show the progress of everything that happens inside."""
    with tempfile.TemporaryDirectory(prefix="srd-progress-") as folder:
        before = os.environ.get(FOLDER_VARIABLE)
        os.environ[FOLDER_VARIABLE] = folder
        done = threading.Event()
        show = _bars if sys.stderr.isatty() else _lines
        watcher = threading.Thread(target=show, args=(Path(folder), done), name="srd-progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            if before is None:
                del os.environ[FOLDER_VARIABLE]
            else:
                os.environ[FOLDER_VARIABLE] = before


class Board:
    """What is known from one look to the next: which stages run, with their latest work, and which have just ended."""

    def __init__(self) -> None:
        self.running: dict[str, State] = {}
        self._started: set[tuple[str, float]] = set()
        self._ended: set[tuple[str, float]] = set()

    def update(self, states: list[State]) -> tuple[list[State], list[State]]:
        """Take in a new look; returns the stages that have started and those that have ended since the last one."""
        whole = {(state.stage, state.started): state for state in states if not state.label}
        started = [state for key, state in whole.items() if key not in self._started]
        ended = [state for key, state in whole.items() if state.done and key not in self._ended]
        self._started |= whole.keys()
        self._ended |= {(state.stage, state.started) for state in ended}
        self.running = {state.stage: state for state in whole.values() if not state.done}
        for state in states:
            mine = self.running.get(state.stage)
            if state.label and mine is not None and state.started >= mine.started and state.done < max(state.total, 1):
                self.running[state.stage] = state
        return started, ended


def describe(state: State) -> str:
    """`learn: steps 300/30000, 2 min left`; as much of it as is known."""
    if not state.label:
        return state.stage
    count = f" {state.done}/{state.total}" if state.total else f" {state.done}"
    left = state.seconds_left
    return f"{state.stage}: {state.label}{count}" + (f", {duration(left)} left" if left is not None else "")


def duration(seconds: float) -> str:
    """`45 s`, `2 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _ended(state: State) -> str:
    return f"done {state.stage} ({duration(state.updated - state.started)})"


def _each_look(folder: Path, done: threading.Event, look: Callable[[list[State]], None]) -> None:
    while not done.wait(_LOOK):
        look(read_states(folder))
    look(read_states(folder))


def _lines(folder: Path, done: threading.Event) -> None:
    board, spoken = Board(), time.monotonic()

    def look(states: list[State]) -> None:
        nonlocal spoken
        started, ended = board.update(states)
        for state in started:
            if not state.done:
                say(f"start {state.stage}")
        for state in ended:
            say(_ended(state))
        if board.running and time.monotonic() - spoken >= _LINE_EVERY:
            say("; ".join(describe(state) for state in board.running.values()))
            spoken = time.monotonic()
        elif started or ended:
            spoken = time.monotonic()

    _each_look(folder, done, look)


def _bars(folder: Path, done: threading.Event) -> None:
    console = Console(stderr=True)
    board = Board()
    bars: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def look(states: list[State]) -> None:
            _, ended = board.update(states)
            for state in ended:
                progress.console.print(Text(_ended(state)))
            for stage in [name for name in bars if name not in board.running]:
                progress.remove_task(bars.pop(stage))
            for stage, state in board.running.items():
                total = state.total if state.label and state.total else None
                if stage not in bars:
                    bars[stage] = progress.add_task(stage, total=total)
                progress.update(bars[stage], description=f"{stage} {state.label}".strip(), completed=state.done, total=total)

        _each_look(folder, done, look)
