"""Files that are written beside their place and put there at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.storage.whole import replaced


@pytest.mark.parametrize("name", ["a.json", "é" * 127])
@pytest.mark.parametrize("before", [b"old", None])
def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path, name: str, before: bytes | None) -> None:
    place = tmp_path / name
    if before is not None:
        place.write_bytes(before)
    with replaced(place) as file:
        file.write_bytes(b"new")
        assert file.parent == tmp_path and (place.read_bytes() if place.exists() else None) == before
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"new"}


@pytest.mark.parametrize("before", [b"old", None])
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(tmp_path: Path, before: bytes | None, begun: bool) -> None:
    """Regression: three of four writers left what they had begun."""
    if before is not None:
        (tmp_path / "a.json").write_bytes(before)
    with pytest.raises(OSError, match="No space left"), replaced(tmp_path / "a.json") as file:
        if begun:
            file.write_bytes(b"ne")
        raise OSError("No space left on device")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ({} if before is None else {"a.json": before})


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    with replaced(tmp_path / "a") as first, replaced(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "first"}
