"""What a source holds, fixed once at the start: a sorted list of shards with sizes and identities, and one digest over it.

Later reads go through `open_shard`, which refuses a shard that has changed since. Samples are not looked at, compressed archives and
sub-folders are not searched.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import itertools
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, cast

from pydantic import BaseModel, ConfigDict

from srd_core.data.manifest import digest
from srd_core.errors import SourceError
from srd_core.storage import ObjectInfo, Storage, is_remote, local_path, open_storage
from srd_core.storage.base import CHUNK, altered
from srd_core.storage.local import LocalStorage, explained

_MAGIC = "*?["
_LONGEST = 200
"""Bytes of a shard's name; file systems take 255 for the names that are made of it."""


class ShardRef(BaseModel):
    """One shard: `uri` of its folder and `key` in it, bytes, `etag` as the storage gave it, `sha256` of the content if it is local."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    key: str
    size: int
    etag: str
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The shard's name in pair ids: its file name without `.tar`."""
        return PurePosixPath(self.key).name.removesuffix(".tar")

    @property
    def identity(self) -> str:
        """What stands for the content: its digest if known, else the etag."""
        return self.sha256 or self.etag


class Inventory(BaseModel):
    """The shards of a source in order of their names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    shards: tuple[ShardRef, ...]

    @property
    def digest(self) -> str:
        """Changes with the name, size or content of any shard; a copy of a local set elsewhere has the same one."""
        return digest([[shard.name, shard.size, shard.identity] for shard in self.shards])


def take_inventory(source: str) -> Inventory:
    """List a SOURCE: a folder, one `.tar`, a glob such as `data/train-*.tar`, `s3://bucket/prefix` or `s3://bucket/name.tar`.

    Local shards are read for their digest, once as long as nobody touches them.

    Raises:
        SourceError: nothing there, no `.tar` among it, one that is no file, two shards of one name, or a name that is empty, too long or
            cannot be a key.
        StorageError: the storage cannot be read.
    """
    shards = sorted(_remote(source) if is_remote(source) else _local(source), key=lambda shard: (shard.name, shard.uri))
    for shard in shards:
        if shard.name in ("", ".", ".."):
            raise SourceError(
                f"a shard of {source} is called {shard.name}.tar and has no name before that",
                hint="Rename it: pairs are named after their shard, and so are decisions and quarantine",
            )
        if len(shard.name.encode()) > _LONGEST:
            raise SourceError(
                f"the shard {shard.name[:60]!a}… of {source} has a name of {len(shard.name.encode())} bytes; the limit is {_LONGEST}",
                hint="Rename it: decisions, quarantine and others are files named after it",
            )
    twins = {a.name for a, b in itertools.pairwise(shards) if a.name == b.name}
    if twins:
        raise SourceError(f"two shards of {source} have the name {min(twins)}", hint="Pair ids need different names; rename one")
    return Inventory(source=source, shards=tuple(shards))


def open_shard(shard: ShardRef) -> BinaryIO:
    """A stream over the shard, to be read once from its beginning, as a context manager.

    Raises:
        ConflictError: it is no longer what the inventory saw. By its etag, that is known at once; by its digest, where that is known,
            from the `read` that comes to the end. A block that ends without an error before that, since the archive is broken or no more
            was wanted, has the rest read and compared.
    """
    stream = open_storage(shard.uri).open(shard.key, etag=shard.etag)
    if shard.sha256 is None:
        return stream
    return cast("BinaryIO", _Whole(_Compared(stream, shard.sha256, f"{shard.uri}/{shard.key}"), CHUNK))


class _Whole(io.BufferedReader):
    """Reads what is left when its block has ended well."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close, after the rest has been read."""
        try:
            while kind is None and self.read(CHUNK):
                pass
        finally:
            super().__exit__(kind, error, trace)


class _Compared(io.RawIOBase):
    """A stream whose content is compared with a digest when all of it has been read."""

    def __init__(self, stream: BinaryIO, sha256: str, uri: str) -> None:
        self._stream, self._sha256, self._uri = stream, sha256, uri
        self._content = hashlib.sha256()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; 0 only at an end that is the right one."""
        data = self._stream.read(len(buffer))
        self._content.update(data)
        if not data and self._content.hexdigest() != self._sha256:
            raise altered(self._uri)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream below, too."""
        self._stream.close()
        super().close()


def _remote(source: str) -> list[ShardRef]:
    if source.endswith(".tar"):
        uri, _, name = source.rpartition("/")
        storage = open_storage(uri)
        info = storage.stat(name)
        if info is None:
            raise SourceError(f"{source} does not exist", hint="Check bucket and key")
        return [_ref(storage, info)]
    storage = open_storage(source)
    found = storage.list()
    odd = [name for name in storage.unlisted() if "/" not in name and name.endswith(".tar")]
    if odd:
        raise SourceError(f"the shard {odd[0][:120]!a} of {source} has a name that cannot be used", hint="Use plain visible characters")
    direct = [info for info in found if "/" not in info.key and info.key.endswith(".tar")]
    if not direct:
        raise _none(source, [info.key for info in found])
    return [_ref(storage, info) for info in direct]


def _local(source: str) -> list[ShardRef]:
    path = local_path(source)
    with explained(source):
        if path.is_dir():
            files = _tars(path, path.iterdir())
            below = [] if files else [file.relative_to(path).as_posix() for file in path.glob("*/*.tar")]
        elif path.is_file():
            if path.suffix != ".tar":
                raise SourceError(f"{source} is not a .tar", hint="Give a folder of shards, a *.tar glob or one plain .tar")
            files, below = [path], []
        elif any(sign in str(path) for sign in _MAGIC):
            files, below = _tars(path, _matching(path)), []
        else:
            raise SourceError(f"{source} does not exist", hint="Give a folder of .tar shards, a *.tar glob or s3://bucket/prefix")
        if not files:
            raise _none(source, below)
        return [_local_ref(file) for file in files]


def _tars(source: Path, found: Iterable[Path]) -> list[Path]:
    """Those that are shards by their name."""
    files = sorted(file for file in found if file.name.endswith(".tar"))
    if odd := next((file for file in files if not file.is_file()), None):
        raise SourceError(
            f"{odd.name[:120]!a} of {source} is called a shard and is no file that can be read",
            hint="Remove it, or give it another name: a folder, a special file, or a link whose target is missing",
        )
    return files


def _matching(pattern: Path) -> list[Path]:
    """As `glob.glob`, but a folder that cannot be read is an error, not an empty one, but for that of the disk."""
    found = [Path(pattern.anchor or ".")]
    for part in pattern.parts[bool(pattern.anchor) :]:
        folders = [folder for folder in found if folder.is_dir()]
        if not any(sign in part for sign in _MAGIC):
            found = [folder / part for folder in folders]
            continue
        below = (place for folder in folders for place in folder.iterdir() if part.startswith(".") or not _passed_by(place.name))
        found = [place for place in below if fnmatch.fnmatchcase(place.name, part)]
    return [place for place in found if place.exists() or place.is_symlink()]


def _passed_by(name: str) -> bool:
    return name.startswith(".") or name == "lost+found"


def _local_ref(file: Path) -> ShardRef:
    storage = LocalStorage(file.parent)
    info = storage.stat(file.name)
    if info is None:
        raise SourceError(f"{file} has gone", hint="Run again when nobody writes to the source")
    return _ref(storage, info, storage.known_digest(file.name))


def _ref(storage: Storage, info: ObjectInfo, sha256: str | None = None) -> ShardRef:
    return ShardRef(uri=storage.uri, key=info.key, size=info.size, etag=info.etag, sha256=sha256)


def _none(source: str, keys: list[str]) -> SourceError:
    """The error for a place without shards, pointing one folder down if there are some."""
    folders = sorted({str(PurePosixPath(key).parent) for key in keys if "/" in key and key.endswith(".tar")})
    hint = f"Did you mean {source.rstrip('/')}/{folders[0]}?" if folders else "Give a place with uncompressed WebDataset shards"
    return SourceError(f"no *.tar found at {source}", hint=hint)
