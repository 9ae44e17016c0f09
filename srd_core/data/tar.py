"""Strict streaming USTAR reader and deterministic writer: the only archive code that touches untrusted shards.

Ordinary tar libraries guess: they follow links, expand sparse files, skip damage and disagree on what a damaged archive holds. This
reader accepts one reading or none: regular members (and directory entries, which it skips) in USTAR, GNU or PAX headers with a correct
checksum, then an end marker, then zeros. Everything else ends the iteration with a `TarError`; members before it have been handed out.
It does not read compressed archives, GNU long names, sparse files, global PAX headers or archives without an end marker.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, NoReturn, Self

from srd_core.data.limits import Limits

BLOCK = 512
_ZEROS = bytes(BLOCK)
_CHUNK = 2**20
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")
"""Behind `BZh` and a digit, digits of pi, or of its root where nothing was compressed."""
_KINDS = {b"1": "hard link", b"2": "symbolic link", b"3": "character device", b"4": "block device", b"6": "named pipe", b"S": "sparse file",
          b"L": "GNU long name", b"K": "GNU long link", b"g": "global PAX header"}  # fmt: skip


class TarError(ValueError):
    """The archive is refused from here on. `reason` is one of `REASONS`; `detail` says where and why, for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


REASONS = frozenset(
    {"truncated", "empty", "compressed", "not-tar", "bad-checksum", "bad-header"}
    | {"unsupported-type", "bad-name", "too-large", "trailing-data"}
)


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file: `name` is a clean relative path with `/` separators (a leading `./` is removed)."""

    name: str
    data: bytes


def clean_name(raw: str, limits: Limits) -> str:
    """`raw` without a leading `./` if it is a printable relative path that stays inside its folder.

    Raises:
        TarError: `bad-name`.
    """
    name = raw.removeprefix("./")
    problem = ""
    if not name.isprintable() or "\\" in name:
        problem = "holds control or invisible characters, or a backslash"
    elif any(part in ("", ".", "..") for part in name.split("/")):
        problem = "is not a plain relative path"
    elif len(name.encode()) > limits.max_name_bytes:
        problem = f"is longer than {limits.max_name_bytes} bytes"
    if problem:
        raise TarError("bad-name", f"member name {raw[:80]!a} {problem}")
    return name


class _Source:
    """Counts and bounds what is read, so that every message can say where."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream, self._limit, self.offset = stream, limits.max_shard_bytes, 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end. Memory follows what is there, not what a header claims."""
        if size <= 0:
            return b""
        held = io.BytesIO()
        left = size
        while left and (part := self._stream.read(min(left, _CHUNK))):
            if len(part) == size:
                held = io.BytesIO(part)
            else:
                held.write(part)
            left -= len(part)
        self.offset += size - left
        if self.offset > self._limit:
            self.refuse("too-large", f"the shard is larger than {self._limit} bytes")
        return held.getvalue()

    def exactly(self, size: int, what: str) -> bytes:
        data = self.read(size)
        if len(data) < size:
            self.refuse("truncated", f"{what} needs {size} bytes and {len(data)} are left")
        return data

    def refuse(self, reason: str, detail: str, *, back: int = 0) -> NoReturn:
        """Refuse what lies `back` bytes before the place of reading."""
        raise TarError(reason, f"{detail} (byte {self.offset - back})")


def iter_members(stream: BinaryIO, limits: Limits | None = None) -> Iterator[Member]:
    """Regular members in archive order, one in memory at a time.

    Raises:
        TarError: at the first thing that is not a plain, complete archive. Errors of `stream` itself pass through.
    """
    limits = limits or Limits()
    source = _Source(stream, limits)
    path: str | None = None
    declared: int | None = None
    extended = False
    for count in itertools.count():
        header = _next_header(source, first=count == 0)
        if header is None:
            if extended:
                source.refuse("bad-header", "an extended header is followed by no member")
            _expect_zeros(source)
            return
        if count == limits.max_members:
            source.refuse("too-large", f"more than {limits.max_members} members")
        size = _octal(source, header[124:136], "size")
        kind = header[156:157]
        if kind == b"x":
            if extended:
                source.refuse("bad-header", "two extended headers in a row")
            if size > limits.max_header_bytes:
                source.refuse("too-large", f"extended header of {size} bytes; the limit is {limits.max_header_bytes}")
            path, declared = _pax(source, _content(source, size))
            extended = True
            continue
        name = _ustar_name(source, header) if path is None else path
        if declared not in (None, size):
            source.refuse("bad-header", f"{name[:80]!a} has two sizes, {size} and {declared}")
        path, declared, extended = None, None, False
        if kind == b"5" and size == 0:
            if (folder := name.rstrip("/")) not in ("", "."):
                clean_name(folder, limits)
            continue
        if kind not in (b"0", b"\0"):
            what = _KINDS.get(kind, f"member of type {kind!a}")
            source.refuse("unsupported-type", f"{name[:80]!a} is a {what}; only regular files are read")
        name = clean_name(name, limits)
        if size > limits.max_member_bytes:
            source.refuse("too-large", f"{name!a} has {size} bytes; the limit is {limits.max_member_bytes}")
        yield Member(name, _content(source, size))


def _next_header(source: _Source, *, first: bool) -> bytes | None:
    """The next header block, verified; None at the end marker."""
    block = source.read(BLOCK)
    if first:
        _recognise(source, block)
    if len(block) < BLOCK:
        source.refuse("truncated", "the archive stops without an end marker")
    if block == _ZEROS:
        if source.exactly(BLOCK, "the end marker") != _ZEROS:
            source.refuse("bad-header", "half an end marker")
        return None
    if block[257:265] not in (b"ustar\x0000", b"ustar  \0"):
        source.refuse("not-tar", "a block is not a USTAR, GNU or PAX header", back=BLOCK)
    total = sum(block) - sum(block[148:156]) + 8 * 32
    if _octal(source, block[148:156], "checksum") != total:
        source.refuse("bad-checksum", "a header does not match its checksum", back=BLOCK)
    return block


def _recognise(source: _Source, block: bytes) -> None:
    if not block:
        source.refuse("empty", "the shard has no bytes")
    kind = next((kind for magic, kind in _COMPRESSED.items() if block.startswith(magic)), "")
    if block.startswith(b"BZh") and block[4:10] in _BZIP2 and block[257:262] != b"ustar":  # a member may be called BZhang.jpg
        kind = "bzip2"
    if kind:
        source.refuse("compressed", f"the shard is {kind}-compressed; unpack it to a plain .tar", back=len(block))


def _octal(source: _Source, field: bytes, what: str) -> int:
    digits = field.lstrip(b" ").rstrip(b" \0")
    if not digits.isdigit() or not digits.isascii() or b"8" in digits or b"9" in digits:
        source.refuse("bad-header", f"{what} field {field!a} is not octal")
    return int(digits, 8)


def _content(source: _Source, size: int) -> bytes:
    data = source.exactly(size, "a member")
    source.exactly(-size % BLOCK, "the padding of a member")
    return data


def _text(source: _Source, field: bytes) -> str:
    name, _, rest = field.partition(b"\0")
    if rest.strip(b"\0"):
        source.refuse("bad-name", f"bytes behind the end of the name {name[:80]!a}")
    try:
        return name.decode()
    except UnicodeDecodeError:
        source.refuse("bad-name", f"member name {name[:80]!a} is not UTF-8")


def _ustar_name(source: _Source, header: bytes) -> str:
    name = _text(source, header[:100])
    if header[262:263] == b" ":  # GNU keeps times and sparse maps where USTAR keeps the prefix, and some readers take them for one
        if any(header[345:500]):
            source.refuse("bad-header", f"{name[:80]!a} has a GNU header with times or a map, which readers disagree on")
        return name
    prefix = _text(source, header[345:500])
    return f"{prefix}/{name}" if prefix else name


def _pax(source: _Source, body: bytes) -> tuple[str | None, int | None]:
    """(path, size) of an extended header; other records are times, owners and the like, and are ignored."""
    known: dict[bytes, bytes] = {}
    while body:
        digits, blank, _ = body[:8].partition(b" ")
        length = int(digits) if blank and digits.isdigit() and digits.isascii() else 0
        key, equals, value = body[len(digits) + 1 : length].partition(b"=")
        if not key or not equals or length > len(body) or not value.endswith(b"\n"):
            source.refuse("bad-header", "an extended header cannot be parsed")
        if key.startswith(b"GNU.sparse"):
            source.refuse("unsupported-type", "sparse file; only regular files are read")
        if key in known:
            source.refuse("bad-header", f"an extended header says {key[:40]!a} twice")
        known[key] = value[:-1]
        body = body[length:]
    size = known.get(b"size")
    if size is not None and not (size.isdigit() and size.isascii() and len(size) < 20):
        source.refuse("bad-header", "the size in an extended header is not a number")
    path = known.get(b"path")
    if path is not None and b"\0" in path:
        source.refuse("bad-name", "NUL in a member name")
    return (None if path is None else _text(source, path)), (None if size is None else int(size))


def _expect_zeros(source: _Source) -> None:
    while chunk := source.read(_CHUNK):
        if chunk.count(0) != len(chunk):
            source.refuse("trailing-data", "something follows the end marker")


class TarWriter:
    """Writes the same bytes for the same members: no time, owner or mode of the machine is recorded.

    USTAR where the name allows it, one PAX `path` record where it does not. Use it as a context manager: the end marker is written
    on a clean exit only, so an archive cut short by an error is recognisable. `stream` stays open. `limits` are those of its readers.
    """

    def __init__(self, stream: BinaryIO, limits: Limits | None = None) -> None:
        self._stream, self._limits = stream, limits or Limits()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.close()

    def write(self, name: str, data: bytes) -> None:
        """One regular member. Raises TarError (`bad-name`) for a name that the reader would refuse."""
        if clean_name(name, self._limits) != name:
            raise TarError("bad-name", f"member name {name!a} would change on reading")
        prefix, short = _split_name(name)
        if not short:
            record = _pax_record(b"path", name.encode())
            self._put(b"", b"PaxHeader", record, b"x")
            short = name.encode("ascii", "replace")[:100]
        self._put(prefix, short, data, b"0")

    def close(self) -> None:
        """Write the end marker."""
        self._stream.write(_ZEROS * 2)

    def _put(self, prefix: bytes, name: bytes, data: bytes, kind: bytes) -> None:
        numbers = b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % len(data) + b"00000000000\0"
        tail = bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + prefix.ljust(155, b"\0") + bytes(12)
        block = name.ljust(100, b"\0") + numbers + b" " * 8 + kind + tail
        self._stream.write(block[:148] + b"%06o\0 " % sum(block) + block[156:])
        self._stream.write(data)
        self._stream.write(bytes(-len(data) % BLOCK))


def _split_name(name: str) -> tuple[bytes, bytes]:
    """(prefix, name) for a USTAR header; (b"", b"") when it does not fit and needs a PAX record."""
    if not name.isascii():
        return b"", b""
    raw = name.encode()
    if len(raw) <= 100:
        return b"", raw
    cut = raw.rfind(b"/", 0, 156)
    prefix, short = raw[:cut], raw[cut + 1 :]
    return (prefix, short) if cut > 0 and len(short) <= 100 else (b"", b"")


def _pax_record(key: bytes, value: bytes) -> bytes:
    """One `length key=value` line; the length counts its own digits."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body
