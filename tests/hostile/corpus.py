"""The corpus: shards made to harm, hide or mislead, each with what must become of it. Innocent samples stand before and behind."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from srd_core.data.shards import EXECUTABLE_SUFFIXES
from tests.hostile.tars import END, PHOTO, around, good, header, member, padded, pax, sample, saved

CANARY = Path("/tmp/srd-hostile-canary")
"""What the payloads would create if anything ran them."""


class _Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {CANARY}",)


PICKLE = pickle.dumps(_Payload())
PICKLE_TEXT = pickle.dumps(_Payload(), protocol=0)


@dataclass(frozen=True)
class Case:
    """`reason` is what the decisions must say of `evil` or of the shard; "" where the sample is to be kept. `last`: the archive goes on."""

    name: str
    shard: bytes
    reason: str
    last: bool = True


def _evil(name: str, reason: str, **members: bytes) -> Case:
    return Case(name, around(sample(**members)), reason)


def _text(name: str, caption: bytes, reason: str = "") -> Case:
    return _evil(f"caption: {name}", reason, jpg=PHOTO, txt=caption)


def _record(name: str, record: bytes, reason: str = "bad-json") -> Case:
    return _evil(f"record: {name}", reason, jpg=PHOTO, json=record)


def _image(name: str, data: bytes, reason: str = "", suffix: str = "jpg") -> Case:
    return _evil(f"image: {name}", reason, **{suffix: data, "txt": b"a caption"})


def _frame(name: str, evil: bytes, reason: str) -> Case:
    return Case(f"frame: {name}", around(evil), f"{reason}-shard", last=False)


def corpus() -> list[Case]:
    """All cases."""
    return [*_payloads(), *_containers(), *_frames(), *_names(), *_structures(), *_images(), *_captions(), *_records()]


def _payloads() -> list[Case]:
    wanted = dict.fromkeys(sorted(EXECUTABLE_SUFFIXES), "executable-member") | dict.fromkeys(("cls", "url", "key", "index"), "bad-text")
    cases = [_evil(f"pickle as .{kind}", reason, jpg=PHOTO, txt=b"x", **{kind: PICKLE}) for kind, reason in wanted.items()]
    return [
        *cases,
        _evil("pickle as .jpg", "unsupported-image", jpg=PICKLE, txt=b"x"),
        _evil("pickle as .txt", "bad-text", jpg=PHOTO, txt=PICKLE),
        _evil("text pickle as .txt", "", jpg=PHOTO, txt=PICKLE_TEXT),
        _evil("pickle as .json", "bad-json", jpg=PHOTO, json=PICKLE),
        _evil("pickle as .meta.json", "bad-json", jpg=PHOTO, txt=b"x", meta_json=PICKLE),
        _evil("pickle behind two suffixes", "executable-member", jpg=PHOTO, txt=b"x", emb_pickle=PICKLE),
        _evil("a compressed text", "unknown-member", jpg=PHOTO, txt_gz=gzip.compress(bytes(2**20))),
        _evil("a shell script", "unknown-member", jpg=PHOTO, txt=b"x", sh=b"#!/bin/sh\ntouch x"),
    ]


def _containers() -> list[Case]:
    plain = around(sample(jpg=PHOTO, txt=b"x"))
    packed = {"gzip": gzip.compress(plain), "bzip2": bz2.compress(plain), "xz": lzma.compress(plain), "zstd": b"\x28\xb5\x2f\xfd" + plain}
    return [
        *(Case(f"container: {name}", data, "compressed-shard", last=False) for name, data in packed.items()),
        Case("container: bzip2 bomb", bz2.compress(bytes(2**26)), "compressed-shard", last=False),
        Case("container: zip", b"PK\x03\x04" + plain, "not-tar-shard", last=False),
        Case("container: nothing", b"", "empty-shard", last=False),
        Case("container: noise", bytes(range(256)) * 8, "not-tar-shard", last=False),
        Case("container: two archives", good("first") + END + good("evil") + END, "trailing-data-shard", last=False),
        Case("container: something behind the end", good("first") + END + b"x", "trailing-data-shard", last=False),
        Case("container: half an end", good("first") + bytes(512) + good("evil") + END, "bad-header-shard", last=False),
        Case("container: no end", good("first"), "truncated-shard", last=False),
    ]


def _frames() -> list[Case]:
    kinds = {"hard link": b"1", "symbolic link": b"2", "character device": b"3", "block device": b"4", "pipe": b"6", "contiguous": b"7"}
    kinds |= {"sparse": b"S", "long name": b"L", "long link": b"K", "multi-volume": b"M", "volume label": b"V", "unknown": b"Z"}
    odd = {name: member("evil.jpg", b"", kind, link=b"/etc/passwd") for name, kind in kinds.items()}
    return [
        *(_frame(name, evil, "unsupported-type") for name, evil in odd.items()),
        _frame("global PAX header", pax((b"path", b"evil.jpg"), kind=b"g"), "unsupported-type"),
        _frame("PAX sparse 1.0", pax((b"GNU.sparse.major", b"1")) + member("evil.jpg", b"x"), "unsupported-type"),
        _frame("a folder with content", member("evil", b"x" * 600, b"5"), "unsupported-type"),
        _frame("a size beyond the file", header(b"evil.jpg", 8**10), "too-large"),
        _frame("a negative size", header(b"evil.jpg", number=b"-0000000001\0"), "bad-header"),
        _frame("a binary size", header(b"evil.jpg", number=b"\x80" + bytes(10) + b"\x01"), "bad-header"),
        _frame("two sizes", pax((b"size", b"5")) + member("evil.jpg", b"x" * 700), "bad-header"),
        _frame("a PAX key twice", pax((b"path", b"a.jpg"), (b"path", b"evil.jpg")) + member("x", b"x"), "bad-header"),
        _frame("two PAX headers in a row", pax((b"path", b"a.jpg")) * 2 + member("x", b"x"), "bad-header"),
        _frame("a PAX record that lies about its length", member(b"PaxHeader", b"99 path=evil.jpg\n", b"x"), "bad-header"),
        _frame("a PAX record without an end", member(b"PaxHeader", b"16 path=evil.jpg", b"x"), "bad-header"),
        _frame("a large PAX header", pax((b"comment", b"x" * 2**20)) + member("evil.jpg", b"x"), "too-large"),
        Case("frame: a PAX header and nothing", good("first") + pax((b"path", b"evil.jpg")) + END, "bad-header-shard", last=False),
        _frame("no magic", header(b"evil.jpg", magic=bytes(8)), "not-tar"),
        _frame("a wrong checksum", header(b"evil.jpg")[:148] + b"000000\0 " + header(b"evil.jpg")[156:], "bad-checksum"),
    ]


def _names() -> list[Case]:
    bad = {
        "absolute": b"/etc/evil.jpg",
        "upwards": b"../evil.jpg",
        "upwards inside": b"a/../../evil.jpg",
        "backslash": b"..\\evil.jpg",
        "line break": b"evil\n.jpg",
        "escape sequence": b"evil\x1b[2J.jpg",
        "right to left": "evil\u202egpj.exe".encode(),
        "not UTF-8": b"evil\xff.jpg",
        "bytes behind its end": b"evil.jpg\0.pickle",
        "empty": b"",
        "a dot": b".",
        "double slash": b"a//evil.jpg",
    }
    return [
        *(_frame(f"name: {name}", member(raw, b"x"), "bad-name") for name, raw in bad.items()),
        _frame("name: NUL in PAX", pax((b"path", b"evil\0.jpg")) + member("x", b"x"), "bad-name"),
        _frame("name: upwards in PAX", pax((b"path", b"../evil.jpg")) + member("x", b"x"), "bad-name"),
        _frame("name: upwards in the prefix", member(b"evil.jpg", b"x", prefix=b"../.."), "bad-name"),
        _frame("name: longer than the limit", pax((b"path", b"e" * 5000)) + member("x", b"x"), "bad-name"),
    ]


def _structures() -> list[Case]:
    return [
        _evil("hidden by a reserved suffix", "reserved-member", jpg=PHOTO, txt=b"x", **{"__bad__": b""}),
        _evil("two images", "duplicate-member", jpg=PHOTO, png=PHOTO, txt=b"x"),
        _evil("letter case", "duplicate-member", jpg=PHOTO, JPG=PHOTO, txt=b"x"),
        Case("a member twice", around(sample(jpg=PHOTO, txt=b"x") + member("evil.txt", b"y")), "duplicate-member"),
        _evil("a sample larger than the limit", "too-large", jpg=PHOTO + bytes(60 * 2**20), txt=b"x", url=bytes(60 * 2**20)),
        _evil("an image alone", "no-caption", jpg=PHOTO),
        _evil("a caption alone", "no-image", txt=b"x"),
        Case("interleaved samples", around(member("evil.jpg", PHOTO) + good("other") + member("evil.txt", b"x")), "no-caption"),
        Case("a key again", around(good("evil") + good("other") + good("evil")), "duplicate-key"),
        Case("a key in other letters", around(good("evil") + good("other") + good("EVIL")), "duplicate-key"),
    ]


def _png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _images() -> list[Case]:
    small = Pillow.new("RGB", (32, 24), (10, 200, 30))
    rows = zlib.compress(bytes((32 * 3 + 1) * 24))
    foreign = {kind: saved(small, kind) for kind in ("GIF", "BMP", "TIFF", "EPS", "PPM", "ICO", "PDF", "TGA")}
    bomb = zlib.compress(bytes(2**28), 9)
    frames = [Pillow.new("RGB", (32, 24), (i, 0, 0)) for i in range(20)]
    return [
        *(_image(f"{kind} named .jpg", data, "unsupported-image") for kind, data in foreign.items()),
        _image("SVG named .jpg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "unsupported-image"),
        _image("nothing", b"", "unsupported-image"),
        _image("PNG that claims 30,000 pixels a side", _png(30_000, 30_000, (b"IDAT", rows)), "too-many-pixels", "png"),
        _image("PNG of 9,000 x 9,000", saved(Pillow.new("L", (9_000, 9_000)), "PNG"), "too-many-pixels", "png"),
        _image("PNG that claims 2^31 pixels a side", _png(2**31 - 1, 2**31 - 1, (b"IDAT", rows)), "too-many-pixels", "png"),
        _image("JPEG of 65,500 x 65,500", _resized_jpeg(65_500, 65_500), "too-many-pixels"),
        _image("WebP that claims 16,000 pixels a side", _large_webp(frames), "too-many-pixels", "webp"),
        _image("PNG just below the limit", saved(Pillow.new("L", (6_300, 6_300)), "PNG"), "", "png"),
        _image("PNG with a zTXt bomb", _png(32, 24, (b"zTXt", b"k\0\0" + bomb), (b"IDAT", rows)), "corrupt-image", "png"),
        _image("PNG with an iTXt bomb", _png(32, 24, (b"iTXt", b"k\0\1\0\0\0" + bomb), (b"IDAT", rows)), "corrupt-image", "png"),
        _image("PNG with an ICC bomb", _png(32, 24, (b"iCCP", b"k\0\0" + bomb), (b"IDAT", rows)), "corrupt-image", "png"),
        _image("PNG whose pixels do not end", _png(32, 24, (b"IDAT", bomb)), "", "png"),
        _image("PNG without pixels", _png(32, 24), "corrupt-image", "png"),
        _image("PNG with a wrong checksum", _png(32, 24, (b"IDAT", rows))[:-20] + bytes(20), "corrupt-image", "png"),
        _image("animated WebP", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "", "webp"),
        _image("animated PNG", saved(frames[0], "PNG", save_all=True, append_images=frames[1:]), "", "png"),
        _image("truncated JPEG", PHOTO[: len(PHOTO) // 2], "corrupt-image"),
        _image("JPEG with a page behind it", PHOTO + b"<html><script>alert(1)</script></html>"),
        _image("JPEG with an archive behind it", PHOTO + good("hidden") + END),
        _image("JPEG with a script as comment", saved(small, "JPEG", comment=b"<script>alert(1)</script>")),
        _image("JPEG with broken EXIF", saved(small, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")),
        _image("JPEG with a broken profile", saved(small, "JPEG", icc_profile=b"\xff" * 5000)),
        _image("JPEG in CMYK", saved(Pillow.new("CMYK", (32, 24)), "JPEG")),
        _image("JPEG named .png", PHOTO, "", "png"),
        _image("PNG with transparency", saved(Pillow.new("RGBA", (32, 24), (1, 2, 3, 0)), "PNG"), "", "png"),
        _image("PNG of 16 bits", saved(Pillow.new("I;16", (32, 24), 51_400), "PNG"), "", "png"),
    ]


def _large_webp(frames: list[Pillow.Image]) -> bytes:
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    place = data.index(b"VP8X") + 12
    return data[:place] + (15_999).to_bytes(3, "little") * 2 + data[place + 6 :]


def _resized_jpeg(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    place = PHOTO.index(b"\xff\xc0") + 5
    return PHOTO[:place] + struct.pack(">HH", height, width) + PHOTO[place + 4 :]


def _captions() -> list[Case]:
    return [
        _text("10 MB", b"x" * 10 * 2**20, "too-large"),
        _text("more characters than the limit", b"word " * 2500, "too-large"),
        _text("a page", b"<script>fetch('http://evil')</script><img src=x onerror=alert(1)>"),
        _text("escape sequences", b"\x1b[2J\x1b]0;evil\x07a dog"),
        _text("right to left", "a \u202egod\u202c".encode()),
        _text("invisible letters", "b\u200ba\u200bn\u200bana".encode()),
        _text("template", b"{{ 7 * 7 }} ${7*7} {% import os %}"),
        _text("formula", b'=HYPERLINK("http://evil","click")'),
        _text("NUL", b"a\0dog"),
        _text("only invisible", "\u200b\u202e\u2060".encode(), "empty-caption"),
        _text("only space", b" \n\t ", "empty-caption"),
        _text("not UTF-8", b"\xff\xfea\0d\0o\0g\0", "bad-text"),
        _text("half a character", "é".encode()[:1], "bad-text"),
        _text("byte order mark", b"\xef\xbb\xbfa dog"),
        _text("a path", b"../../../../etc/passwd"),
        _text("a log line", b"a dog\n2026-01-01 ERROR forged"),
    ]


def _records() -> list[Case]:
    return [
        _record("depth", b"[" * 100_000),
        _record("depth in a field", b'{"caption": "x", "deep": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        _record("NaN", b'{"caption": "x", "n": NaN}'),
        _record("infinity", b'{"caption": "x", "n": 1e999}'),
        _record("a number of a million digits", b'{"caption": "x", "n": ' + b"9" * 10**6 + b"}"),
        _record("a key twice", b'{"caption": "x", "caption": "y"}'),
        _record("half a surrogate pair", b'{"caption": "\\ud800"}'),
        _record("a list", b'["x"]'),
        _record("captions that are none", b'{"captions": [{"$ne": null}]}'),
        _record("many captions", json.dumps({"captions": ["x"] * 100}).encode(), "too-large"),
        _record("two captions that differ", b'{"caption": "x", "captions": ["y"]}', "ambiguous-caption"),
        _evil("record: a text that says something else", "ambiguous-caption", jpg=PHOTO, txt=b"x", json=b'{"caption": "y"}'),
        _record("prototype", b'{"caption": "x", "__proto__": {"a": 1}, "constructor": {}}', ""),
    ]


def crowd(path: Path, samples: int) -> None:
    """A shard of that many empty samples: a header each and nothing else."""
    import numpy as np

    block = np.frombuffer(header(b"000000000.jpg"), np.uint8)
    with path.open("wb") as file:
        for start in range(0, samples, 50_000):
            numbers = np.arange(start, min(start + 50_000, samples))
            digits = (numbers[:, None] // 10 ** np.arange(8, -1, -1)) % 10
            blocks = np.tile(block, (len(numbers), 1))
            blocks[:, :9] = digits + ord("0")
            total = int(block.sum()) - int(block[148:156].sum()) + 8 * 32
            sums = total + digits.sum(1)
            octal = (sums[:, None] // 8 ** np.arange(5, -1, -1)) % 8
            blocks[:, 148:154] = octal + ord("0")
            file.write(blocks.tobytes())
        file.write(padded(b"") + END)
