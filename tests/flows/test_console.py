"""What is shown of work in other processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from flows.cli.console import Board, describe, duration, watching
from srd_core.progress import State, about, stage, track


def state(name: str, label: str = "", done: int = 0, total: int = 1, started: float = 0.0, updated: float = 10.0) -> State:
    return State(name, label, done, total, started, updated)


def test_a_stage_starts_and_ends_once() -> None:
    board = Board()
    assert [item.stage for item in board.update([state("base")])[0]] == ["base"]
    assert board.update([state("base")]) == ([], [])
    assert [item.stage for item in board.update([state("base", done=1)])[1]] == ["base"]
    assert board.update([state("base", done=1)]) == ([], [])


def test_the_work_inside_a_stage_is_what_it_is_known_by() -> None:
    board = Board()
    board.update([state("learn"), state("learn", "steps", 3, 10, started=1.0)])
    assert describe(board.running["learn"]).startswith("learn: steps 3/10")


def test_finished_work_gives_way() -> None:
    board = Board()
    board.update([state("learn"), state("learn", "steps", 10, 10, started=1.0)])
    assert describe(board.running["learn"]) == "learn"


def test_time_left_follows_the_pace() -> None:
    assert describe(state("learn", "steps", 10, 40, started=0.0, updated=20.0)) == "learn: steps 10/40, 60 s left"


@pytest.mark.parametrize(("seconds", "text"), [(4, "4 s"), (89, "89 s"), (100, "2 min"), (7200, "2.0 h")])
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with watching():
        with about("from an earlier run"), stage("base"):
            pass
        with about("evidence p1"), stage("retrain"):
            list(track(range(3), "train", total=3))
            time.sleep(1)  # two looks
    lines = capsys.readouterr().err.splitlines()
    assert set(lines[:2]) == {"done base from an earlier run (0 s)", "start retrain evidence p1"}
    assert lines[2].startswith("done retrain evidence p1")


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("SRD_PROGRESS", raising=False)
    with watching(), stage("base"):
        pass
    assert list(tmp_path.iterdir()) == []
