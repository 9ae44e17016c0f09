"""The inbox: every data set is told of once, when it is ready."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from prefect import get_client
from prefect.client.orchestration.base import BaseClient
from prefect.events.filters import EventFilter, EventResourceFilter
from prefect.exceptions import PrefectHTTPStatusError

from flows.artifacts import plain
from flows.watch import EVENT, arrivals, left_alone, watch
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


def test_what_is_told_has_arrived_at_the_server(inbox: Path, prefect_server: None) -> None:
    (inbox / "first" / "READY").touch()
    look(inbox)
    (note,) = [json.loads(path.read_text()) for path in (inbox.parent / "state" / "seen").glob("[!l]*.json")]
    wanted = EventFilter(resource=EventResourceFilter(id=[f"srd.dataset.{note['digest']}"]))
    deadline = time.monotonic() + 30
    arrived: list[Any] = []
    with get_client(sync_client=True) as client:
        while note not in arrived and time.monotonic() < deadline:  # other tests tell of the same data in other folders
            arrived = [event.payload for event in client.read_events(wanted, limit=50).events if event.event == EVENT]
            time.sleep(0.1)
    assert arrived.count(note) == 1


def test_a_name_cannot_lead_out_of_the_inbox(inbox: Path, prefect_server: None) -> None:
    """In a URI, `%2e%2e` is a way up."""
    odd = "%2e%2e%2fprivate"
    (inbox / "first").rename(inbox / odd)
    (inbox / odd / "READY").touch()
    shutil.copytree(inbox / odd, inbox.parent / "private")
    (told,) = watch(f"file://{inbox}", str(inbox.parent / "state"), f"file://{inbox.parent}/out")
    assert open_storage(told).uri == str(inbox / odd)
    (note,) = [json.loads(path.read_text()) for path in (inbox.parent / "state" / "seen").glob("[!l]*.json")]
    assert Path(open_storage(note["sink"]).uri).parent == inbox.parent / "out"


def test_a_set_of_which_the_server_was_not_told_is_told_of_again(
    inbox: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox / "first" / "READY").touch()
    real = BaseClient.request
    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "request", lambda self, method, path, **more: real(self, method, f"/no{path}", **more))
        with pytest.raises(PrefectHTTPStatusError):
            look(inbox)
    assert look(inbox) == [f"{inbox}/first"]


def test_one_set_that_cannot_be_read_does_not_stop_the_others(inbox: Path, prefect_server: None) -> None:
    shutil.copytree(inbox / "first", inbox / "broken")
    (inbox / "broken" / "back\\slash.tar").write_bytes(b"x")
    for name in ("first", "broken"):
        (inbox / name / "READY").touch()
    assert look(inbox) == [f"{inbox}/first"]


def test_a_closed_set_is_left_alone_with_a_warning(
    common_user: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: it was in no listing, and so passed over in silence, at every look."""
    (common_user / "setB").mkdir()
    (common_user / "setB").chmod(0)
    monkeypatch.setattr("flows.watch.get_run_logger", lambda: logging.getLogger("watched"))
    assert watch.fn(str(common_user), str(common_user / "state"), str(common_user / "out")) == []
    (line,) = caplog.messages
    assert line.startswith(f"'setB' in {common_user} is left alone, since it cannot be read: ")


def test_a_flood_of_names_that_cannot_be_read_does_not_flood_the_log(tmp_path: Path) -> None:
    for number in range(25):
        os.mkfifo(tmp_path / f"{number:02}\x1b[2J")
    *lines, last = left_alone(open_storage(str(tmp_path)))
    assert len(lines) == 20 and all(line.isprintable() for line in lines)
    assert last == f"{tmp_path} holds 5 more names that are left alone, since they cannot be read"


def test_a_set_that_has_been_told_of_is_not_read_again(inbox: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "first" / "READY").touch()
    look(inbox)
    copy = inbox / "first" / "copy"
    shutil.copy(inbox / "first" / "scenes-00000.tar", copy)
    copy.replace(inbox / "first" / "scenes-00000.tar")
    assert look(inbox) == []
    monkeypatch.setattr("flows.watch.take_inventory", None)
    assert look(inbox) == []


def test_a_set_that_changed_is_told_of_again(inbox: Path, prefect_server: None) -> None:
    (inbox / "first" / "READY").touch()
    look(inbox)
    shutil.copy(inbox / "first" / "scenes-00000.tar", inbox / "first" / "scenes-00009.tar")
    assert look(inbox) == [f"{inbox}/first"]


def test_folders_without_shards_are_no_arrivals(inbox: Path) -> None:
    (inbox / "notes").mkdir()
    (inbox / "notes" / "READY").touch()
    assert arrivals(open_storage(str(inbox)), require_ready=False).keys() == {"first"}


@pytest.mark.parametrize("text", ["[click](http://x)", "<img src=x>", "a | b", "# title", "`code`", "![i](u)"])
def test_nothing_of_a_verdict_is_markup(text: str) -> None:
    shown = plain(text)
    assert "<" not in shown
    assert all(shown[i - 1] == "\\" for i, sign in enumerate(shown) if sign in "[]()#`!|")
