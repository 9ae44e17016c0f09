"""Files and folders of this machine that the system refuses: what it says, as an error that a user can act on.

`check_folder` and `check_file` ask it before the work that fills them.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from srd_core.errors import PlaceError, SrdError

_OTHERWISE = (BrokenPipeError, ConnectionError, TimeoutError, InterruptedError, BlockingIOError, ChildProcessError, ProcessLookupError)
"""What the system says of programs and networks."""
_NO_ROOM = {
    errno.ENOSPC: "Make room there",
    errno.EDQUOT: "Make room there",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`), or name a place on a disk that takes larger ones",
}
"""What the system may refuse while something is written, when it names no file."""
_HINTS = {
    errno.EACCES: "Check its permissions and those of the folders above it, or name another place",
    errno.EPERM: "Check its permissions and those of the folders above it, or name another place",
    errno.EROFS: "Name a place that can be written to",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.ENOTDIR: "A part of that path is a file: name another place",
    errno.EEXIST: "Name another place",
    errno.EISDIR: "Name a file in it, or another place",
    errno.ENOENT: "Check the path; it may have been removed meanwhile",
    errno.ESTALE: "Another machine has removed or replaced it meanwhile: run again",
    errno.ELOOP: "Its links lead in a circle: name another place",
}
_RUST = re.compile(r"\(os error (\d+)\)")
"""At the end of what libraries in Rust say, whose errors have no number and no class of their own."""


def refusal(error: BaseException, place: Path | None = None) -> PlaceError | None:
    """What the system says of a file, for the user; None where the error is about something else.

    `place` is what was written. A full disk names no file: without a place, it is the one with scratch files, or the one that the
    command's output is sent to.
    """
    if isinstance(error, SrdError):
        return None
    if not isinstance(error, OSError):
        told = _RUST.search(str(error))
        if told is None:
            return None
        error = OSError(int(told[1]), os.strerror(int(told[1])))
    if isinstance(error, _OTHERWISE) or error.errno is None:
        return None
    name = _named(error, place)
    if not name and error.errno == errno.ENOENT and "temporary directory" in str(error.strerror):
        return PlaceError("no folder for scratch files can be written to", hint="Set TMPDIR to one that can")
    if error.errno in _NO_ROOM:
        if name:
            scratch = f"scratch files are in {_scratch()}, and TMPDIR names another folder for them"
        else:
            name = f"the disk with scratch files ({_scratch()}) or with this command's output"
            scratch = "TMPDIR names another folder for scratch files, and the output can be sent to another file"
        return PlaceError(f"{name}: {os.strerror(error.errno)}", hint=f"{_NO_ROOM[error.errno]}; {scratch}")
    if not name or (place is not None and not error.filename and error.errno not in _HINTS and error.errno != errno.EIO):
        return None
    return PlaceError(f"{name}: {error.strerror}", hint=_HINTS.get(error.errno, "Check the file and the disk that it lies on"))


@contextmanager
def about_place(place: Path) -> Iterator[None]:
    """Errors of the system inside are about `place`, or about the file below it that they name.

    Raises:
        PlaceError: what it says.
    """
    try:
        yield
    except Exception as error:
        refused = refusal(error, place)
        if refused is None:
            raise
        raise refused from error


def check_folder(folder: Path) -> None:
    """Write something into `folder`, or where it would be made, and remove it.

    Raises:
        PlaceError: that cannot be, or the folder could not be made.
    """
    with about_place(folder):
        whole = folder.absolute()
        home = next(place for place in (whole, *whole.parents) if _is_there(place))
        longest = os.pathconf(home, "PC_NAME_MAX")
        if any(len(os.fsencode(part)) > longest for part in whole.relative_to(home).parts):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with _unseen(home) as file:
            os.write(file, bytes(4096))


def check_file(file: Path) -> None:
    """Look whether `file` could be written, without a change to what it holds.

    Raises:
        PlaceError: it could not.
    """
    with about_place(file):
        file = behind(file)
        there = _is_there(file)
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if there and stat.S_ISREG(file.stat().st_mode):
            file.open("ab").close()
        elif there and not os.access(file, os.W_OK):  # a pipe would take an open and a close for its end
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if not there:
        check_folder(file)


def behind(file: Path) -> Path:
    """Of a link that leads to nothing, where the file would be made; else the path itself, for what /dev/stdout leads to may have none."""
    return Path(os.path.realpath(file)) if file.is_symlink() and not file.exists() else file


def _is_there(place: Path) -> bool:
    try:
        place.stat()
    except FileNotFoundError:
        if place.is_symlink():
            raise
        return False
    return True


@contextmanager
def _unseen(folder: Path) -> Iterator[int]:
    """A file in `folder` that is gone afterwards. Where it must have a name meanwhile, storages do not list it."""
    with tempfile.TemporaryFile(dir=folder, prefix=".", suffix=f".{uuid.uuid4().hex}.srd-tmp", buffering=0) as file:
        yield file.fileno()


def _named(error: OSError, place: Path | None) -> str:
    """The file that the error is about. Of one that is written beside its place, the place."""
    given = error.filename if isinstance(error.filename, str | bytes | os.PathLike) else ""
    name = os.fsdecode(given)
    ours = name.endswith((".tmp", ".srd-tmp")) and Path(name).name.startswith(".")
    return str(place) if place is not None and (ours or not name) else name


def _scratch() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return os.environ.get("TMPDIR", "/tmp")
