"""The inbox: every data set is told of once, when it is ready."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from flows.artifacts import plain
from flows.watch import arrivals, watch
from srd_core.storage import open_storage


@pytest.fixture
def inbox(data: Any, tmp_path: Path) -> Path:
    shutil.copytree(data.source, tmp_path / "in" / "first")
    return tmp_path / "in"


def look(inbox: Path) -> list[str]:
    place = inbox.parent
    return watch(str(inbox), str(place / "state"), str(place / "out"))


def test_a_set_is_told_of_when_it_is_ready_and_only_once(inbox: Path, prefect_server: None) -> None:
    assert look(inbox) == []
    (inbox / "first" / "READY").touch()
    assert look(inbox) == [f"{inbox}/first"]
    assert look(inbox) == []


def test_a_set_that_changed_is_told_of_again(inbox: Path, prefect_server: None) -> None:
    (inbox / "first" / "READY").touch()
    look(inbox)
    shutil.copy(inbox / "first" / "scenes-00000.tar", inbox / "first" / "scenes-00009.tar")
    assert look(inbox) == [f"{inbox}/first"]


def test_folders_without_shards_are_no_arrivals(inbox: Path) -> None:
    (inbox / "notes").mkdir()
    (inbox / "notes" / "READY").touch()
    assert arrivals(open_storage(str(inbox)), require_ready=False) == ["first"]


@pytest.mark.parametrize("text", ["[click](http://x)", "<img src=x>", "a | b", "# title", "`code`", "![i](u)"])
def test_nothing_of_a_verdict_is_markup(text: str) -> None:
    shown = plain(text)
    assert "<" not in shown
    assert all(shown[i - 1] == "\\" for i, sign in enumerate(shown) if sign in "[]()#`!|")
