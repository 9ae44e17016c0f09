"""What the system says of files becomes an error for the user; what it says of anything else does not."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from srd_core.errors import ConfigError, PlaceError
from srd_core.places import about_place, check_file, check_folder, refusal


def system(number: int, *name: str) -> OSError:
    return OSError(number, os.strerror(number), *name)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.EIO])
def test_a_file_is_named_with_the_reason_and_a_way_out(number: int) -> None:
    refused = refusal(system(number, "/x/y"))
    assert refused is not None and refused.hint
    assert refused.message == f"/x/y: {os.strerror(number)}"


@pytest.mark.parametrize(
    "error",
    [
        system(errno.EPIPE, "/x"),
        system(errno.ECONNREFUSED, "/x"),
        system(errno.ETIMEDOUT, "/x"),
        system(errno.EACCES),
        OSError("there is no model of that name"),
        ValueError("odd"),
        ConfigError("no attack: (os error 13)"),
    ],
)
def test_what_is_about_no_file_stays_what_it_is(error: Exception) -> None:
    assert refusal(error) is None


@pytest.mark.parametrize(
    "error",
    [
        system(errno.ENOSPC),
        system(errno.EDQUOT),
        system(errno.EFBIG),
        Exception("I/O error: no space left (os error 28)"),
        OSError(errno.EFBIG, "Error writing bytes to file. Detail: [errno 27] File too large"),
    ],
)
def test_no_room_without_a_name_is_for_scratch_files_or_the_output(error: Exception) -> None:
    """Regression: a shard that is written by a worker was an internal error; output to a full disk was about the scratch folder alone."""
    refused = refusal(error)
    reason = os.strerror(getattr(error, "errno", None) or errno.ENOSPC)
    assert refused is not None
    assert refused.message == f"the disk with scratch files ({tempfile.gettempdir()}) or with this command's output: {reason}"
    assert "TMPDIR names another folder for scratch files, and the output can be sent to another file" in refused.hint


def test_a_full_disk_is_about_what_was_written(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=f"^{tmp_path}: No space left on device. Make room"), about_place(tmp_path):
        raise system(errno.ENOSPC)
    with pytest.raises(PlaceError, match=f"^{tmp_path}: No space"), about_place(tmp_path):
        raise system(errno.ENOSPC, str(tmp_path / ".x.0123.tmp"))


@pytest.mark.parametrize("number", [errno.EFBIG, errno.ESTALE, errno.EIO])
def test_what_the_system_refuses_of_what_is_written_is_about_its_place(tmp_path: Path, number: int) -> None:
    """Regression: a file that grew beyond `ulimit -f` was an internal error."""
    with pytest.raises(PlaceError, match=f"^{tmp_path}: {os.strerror(number)}. [A-Z]"), about_place(tmp_path):
        raise system(number)


def test_what_the_machine_has_too_little_of_is_about_no_place(tmp_path: Path) -> None:
    for number in (errno.EMFILE, errno.ENOMEM):
        with pytest.raises(OSError, match=os.strerror(number)), about_place(tmp_path):
            raise system(number)


def test_no_scratch_folder_at_all() -> None:
    refused = refusal(FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"))
    assert refused is not None and "TMPDIR" in refused.hint


def test_what_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    (tmp_path / "folder").mkdir()
    for place in ("folder", "new", "new/below"):
        check_folder(tmp_path / place)
        check_file(tmp_path / place / "x")
    check_file(tmp_path / "there")
    assert {path.name for path in tmp_path.rglob("*")} == {"there", "folder"}
    assert (tmp_path / "there").read_text() == "precious"


@pytest.mark.parametrize("place", ["file/x", "n" * 300, f"new/{'n' * 300}", "nowhere", "circle/x"])
def test_what_cannot_be_made_is_told_before(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for check in (check_folder,) if place == "nowhere" else (check_folder, check_file):
        with pytest.raises(PlaceError, match=f"^{tmp_path / place}: "):
            check(tmp_path / place)


def test_a_file_may_be_a_link_to_one_that_is_to_be_made(tmp_path: Path) -> None:
    """Regression: `--sarif latest.sarif` was refused where that was a link to the file of the day."""
    (tmp_path / "latest").symlink_to("today")
    check_file(tmp_path / "latest")
    (tmp_path / "lost").symlink_to("file/today")
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError, match="Not a directory"):
        check_file(tmp_path / "lost")


def test_a_link_to_a_pipe_is_written_to_as_it_is() -> None:
    """Regression: `--sarif /dev/stdout | cat` was refused, for /proc/self/fd/1 then leads to a path that does not exist."""
    reading, writing = os.pipe()
    check_file(Path(f"/proc/self/fd/{writing}"))
    os.close(reading)
    os.close(writing)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Regression: the list of poisoned pairs was looked at before the work, and what was found was a folder that can be written to."""
    with pytest.raises(PlaceError, match=f"^{tmp_path}: Is a directory. Name a file in it, or another place"):
        check_file(tmp_path)


def test_a_disk_that_is_full_already_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise system(errno.ENOSPC)

    monkeypatch.setattr("srd_core.places.os.write", full)
    with pytest.raises(PlaceError, match=f"^{tmp_path / 'new'}: No space left on device"):
        check_folder(tmp_path / "new")
