"""Archives that no honest tool writes, block by block."""

from __future__ import annotations

import io

from srd_core.data.images import encode
from srd_core.data.tar import BLOCK

END = bytes(2 * BLOCK)


def header(
    name: bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    number: bytes = b"",
) -> bytes:
    """One header block with the right checksum, whatever else it says."""
    numbers = b"0000644\0" + b"0000000\0" * 2 + (number or b"%011o\0" % size) + b"00000000000\0"
    tail = link.ljust(100, b"\0") + magic + bytes(64) + b"0000000\0" * 2 + prefix.ljust(155, b"\0") + bytes(12)
    return resum(name.ljust(100, b"\0") + numbers + b" " * 8 + kind + tail)


def resum(block: bytes) -> bytes:
    """The block with the right checksum."""
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


def padded(data: bytes) -> bytes:
    """Content up to the next block."""
    return data + bytes(-len(data) % BLOCK)


def member(name: str | bytes, data: bytes, kind: bytes = b"0", *, link: bytes = b"", prefix: bytes = b"") -> bytes:
    """Header and content."""
    raw = name.encode() if isinstance(name, str) else name
    return header(raw, len(data), kind, link=link, prefix=prefix) + padded(data)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """An extended header with these records."""
    body = b""
    for key, value in records:
        rest = b" " + key + b"=" + value + b"\n"
        length = len(rest) + 1
        while length != len(rest) + len(str(length)):
            length = len(rest) + len(str(length))
        body += str(length).encode() + rest
    return member(b"PaxHeader", body, kind)


def photo(value: int = 90) -> bytes:
    """A small honest JPEG."""
    import numpy as np

    return encode(np.full((24, 32, 3), value, np.uint8), "jpg")


PHOTO = photo()


def good(key: str) -> bytes:
    """An innocent sample."""
    return member(f"{key}.jpg", PHOTO) + member(f"{key}.txt", b"an innocent caption")


def sample(**members: bytes) -> bytes:
    """Members of the sample `evil`; an underscore inside a suffix is a dot."""
    suffixes = {name: name if name.startswith("_") else name.replace("_", ".") for name in members}
    return b"".join(member(f"evil.{suffixes[name]}", data) for name, data in members.items())


def around(evil: bytes, end: bytes = END) -> bytes:
    """`evil` between two innocent samples, and the end of the archive."""
    return good("first") + evil + good("last") + end


def saved(picture: object, kind: str, **options: object) -> bytes:
    """A Pillow picture as bytes."""
    target = io.BytesIO()
    picture.save(target, kind, **options)  # type: ignore[attr-defined]
    return target.getvalue()
