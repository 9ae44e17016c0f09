"""Objects as files in a folder, under the protocol of `base`: written aside, flushed to disk, then put in place in one step.

A crash leaves at most a hidden `.NAME.*.srd-tmp` file, which listings do not show and `tidy` removes: nobody holds its lock. Where the
file system knows no hard links, creation falls back to check-then-rename, which two writers at the same instant can both win.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from srd_core.errors import ConflictError, StorageError
from srd_core.storage.base import CHUNK, ObjectInfo, altered, checked_key, conflict, file_digest, is_key, short, unchanged_digest

_TEMPORARY = ".srd-tmp"
_OURS = re.compile(r"\..+\.([0-9a-f]{32}|lock)\.srd-tmp", re.DOTALL)
"""Names of temporary files. Others that end alike are somebody's, and shown."""
_OF_THE_DISK = "lost+found"
"""A folder of root's at the root of many file systems, which nobody made and only root can read."""
_GRACE = 60.0
"""Seconds."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})


class LocalStorage:
    """A folder; it is made on the first write. Symbolic links that lead out of it are refused."""

    def __init__(self, root: Path) -> None:
        self._root = Path(root).expanduser().absolute()

    @property
    def uri(self) -> str:
        """Absolute path of the folder."""
        return str(self._root)

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """See `Storage.list`."""
        found = (self.stat(name) for name in self._names() if name.startswith(prefix) and self._is_object(name))
        return sorted((info for info in found if info), key=lambda info: info.key)

    def names(self) -> Iterator[str]:
        """See `Storage.names`: files, links and special files; folders that are links are not entered."""
        return self._names()

    def unlisted(self) -> tuple[str, ...]:
        """See `Storage.unlisted`."""
        return tuple(sorted(name for name in self._names() if not self._is_object(name)))

    def stat(self, key: str) -> ObjectInfo | None:
        """See `Storage.stat`."""
        path = self.path(key)
        with self._explained(key):
            try:
                status = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return _info(key, status) if path.is_file() else None

    def open(self, key: str, etag: str | None = None) -> BinaryIO:
        """See `Storage.open`. The etag is compared once, on opening; later renames do not disturb the open file."""
        with self._explained(key):
            stream = self.path(key).open("rb")
        if etag is not None and _info(key, os.fstat(stream.fileno())).etag != etag:
            stream.close()
            raise ConflictError(f"{self.uri}/{key} has changed since it was listed", hint="Run again when nobody writes to the source")
        return stream

    def read_bytes(self, key: str) -> bytes:
        """See `Storage.read_bytes`."""
        with self.open(key) as stream, self._explained(key):
            return stream.read()

    def put_file(self, key: str, path: Path, overwrite: bool = False) -> ObjectInfo:
        """See `Storage.put_file`."""
        with self._explained(str(path)):
            source = path.open("rb")
        with source:
            return self._put(key, source, overwrite)

    def put_bytes(self, key: str, data: bytes, overwrite: bool = False) -> ObjectInfo:
        """See `Storage.put_bytes`."""
        return self._put(key, io.BytesIO(data), overwrite)

    def digest(self, key: str) -> str:
        """See `Storage.digest`."""
        with self._explained(key):
            return file_digest(self.path(key))

    def known_digest(self, key: str) -> str:
        """As `digest`, but of a file that nobody has touched since it was read here, what it was then."""
        with self._explained(key):
            return unchanged_digest(self.path(key))

    def tidy(self, folders: Collection[str]) -> None:
        """See `Storage.tidy`; also what lies beside these folders."""
        for path in self._root.glob(f"*{_TEMPORARY}"):
            if _OURS.fullmatch(path.name):
                _remove_abandoned(path)
        for place in folders:
            for folder, _, names in os.walk(self._root / place):
                for name in names:
                    if _OURS.fullmatch(name):
                        _remove_abandoned(Path(folder) / name)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """See `Storage.alone`."""
        target = self.path(key)
        lock = target.with_name(f".{short(target.name)}.lock{_TEMPORARY}")
        with self._explained(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            held = _locked(lock)
        with held:
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)

    def fetch(self, key: str, folder: Path, sha256: str | None = None) -> Path:
        """See `Storage.fetch`: the file itself."""
        if self.stat(key) is None:
            self.open(key).close()
        if sha256 is not None and self.digest(key) != sha256:
            raise altered(f"{self.uri}/{key}")
        return self.path(key)

    def path(self, key: str) -> Path:
        """Where `key` lies. Raises StorageError if that is outside the folder."""
        path = self._root / checked_key(key)
        if not self._leads_inside(path):
            raise StorageError(f"{key!a} leads out of {self.uri}", hint="Remove the symbolic link, or name its target as the source")
        return path

    def _names(self) -> Iterator[str]:
        """Of all files, links and special files below the root, and of folders that cannot be read, but for that of the disk.

        Links to folders are not entered.
        """
        closed: list[OSError] = []
        with explained(self.uri):
            for folder, folders, names in os.walk(self._root, onerror=closed.append):
                base = Path(folder)
                links = [name for name in folders if (base / name).is_symlink()]
                yield from ((base / name).relative_to(self._root).as_posix() for name in names + links if not _OURS.fullmatch(name))
            for error in closed:
                if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    place = Path(str(error.filename))
                    if place == self._root:
                        raise error
                    if not self._is_of_the_disk(place):
                        yield place.relative_to(self._root).as_posix()

    def _is_of_the_disk(self, place: Path) -> bool:
        """Whether a folder that refuses to be read is the disk's. One of that name that somebody else made may hold anything."""
        with suppress(OSError):
            status = (self._root / _OF_THE_DISK).lstat()
            return place == self._root / _OF_THE_DISK and stat.S_ISDIR(status.st_mode) and status.st_uid == 0
        return False

    def _is_object(self, name: str) -> bool:
        path = self._root / name
        try:
            return is_key(name) and path.is_file() and self._leads_inside(path)
        except (OSError, StorageError):  # in a folder that may be listed and not entered, or a link that is too long
            return False

    def _leads_inside(self, path: Path) -> bool:
        """Whether what `path` means lies in the folder, after all links; no for links that lead in a circle."""
        with self._explained(str(path)), suppress(RuntimeError):
            return path.resolve().is_relative_to(self._root.resolve())
        return False

    def _put(self, key: str, source: BinaryIO, overwrite: bool) -> ObjectInfo:
        target = self.path(key)
        with self._explained(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".{short(target.name)}.{uuid.uuid4().hex}{_TEMPORARY}"
            try:
                with temporary.open("xb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    shutil.copyfileobj(source, file, CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                self._place(temporary, target, overwrite)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)
            return _info(key, target.stat())

    def _place(self, temporary: Path, target: Path, overwrite: bool) -> None:
        if overwrite:
            temporary.replace(target)
            return
        try:
            os.link(temporary, target)
        except FileExistsError:
            if file_digest(temporary) != file_digest(target):
                raise conflict(str(target)) from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if target.exists() and file_digest(temporary) != file_digest(target):
                raise conflict(str(target)) from None
            temporary.replace(target)

    def _explained(self, what: str) -> AbstractContextManager[None]:
        return explained(self.uri, what)


@contextmanager
def explained(place: str, what: str = "") -> Iterator[None]:
    """Errors of the system as StorageError: what cannot be done with `place`, or in it with `what`."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"{error.filename or what or place} does not exist", hint="Check the path") from error
    except OSError as error:
        named = f" ({what or error.filename})" if what or error.filename else ""
        raise StorageError(f"{place}: {error.strerror or error}{named}", hint="Check permissions and free space") from error


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, status.st_size, f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}")


def _locked(path: Path) -> IO[str]:
    """The lock file at `path`, open and locked by us.

    Whoever held it before removes it at the end, so what we have locked may no longer be the file at `path`: then we begin again.
    """
    while True:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666), "a")
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        file.close()


def _remove_abandoned(path: Path) -> None:
    """Remove a temporary file that no living writer has locked. The first minute is left for the lock to be taken."""
    with suppress(OSError), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _GRACE:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
