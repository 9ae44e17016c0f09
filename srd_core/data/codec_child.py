"""The other side of `codec`: a process that can do nothing but turn image bytes on its input into pixels or new image bytes.

After its imports it gives up memory beyond a bound, new files, sockets and children, written bytes, and being root; and what needs no
open file, such as removing files, signals and other processes' memory, where the kernel has Landlock. Only Linux and macOS have such
limits; what the kernel itself can be talked into by three open pipes is not covered.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from srd_core.data.images import ImageError, decode, decode_canvas, encode, header, rewrite
from srd_core.data.landlock import give_up_everything
from srd_core.data.limits import Limits

REQUEST = struct.Struct("<IIQBB4i")
"""Bytes to come, canvas side (0: full size), pixel limit, format to write (index into `WRITTEN`; 0: send pixels), quality, red box."""
REPLY = struct.Struct("<BIIQ")
"""0 for a result or 1 for a refusal; height and width of the image; bytes to come (the result, or reason and detail in two lines)."""
WRITTEN = ("", "jpg", "png", "webp")
PLUGINS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Named so that nothing is left to import once files cannot be opened any more."""
_SECONDS = 8
"""Of CPU time, for one image."""
_NOBODY, _CAP_KILL = 65534, 5


def confine(memory_bytes: int) -> None:
    """Give up what decoding does not need; there is no way back."""
    for suffix in WRITTEN[1:]:
        decode_canvas(encode(np.zeros((64, 64, 3), np.uint8), suffix), 8)
    _cease_to_be_root()
    give_up_everything()
    bounds = [("RLIMIT_AS", memory_bytes), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0), ("RLIMIT_NPROC", 0), ("RLIMIT_NOFILE", 0)]
    for name, bound in bounds:
        if hasattr(resource, name):
            resource.setrlimit(getattr(resource, name), (bound, bound))


def _cease_to_be_root() -> None:
    """As far as a container allows it; not where that would keep root from ending this process."""
    with suppress(OSError):
        rights = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        if os.getuid() == 0 and int(rights["CapEff"], 16) >> _CAP_KILL & 1:
            for step in (partial(os.setgroups, []), partial(os.setgid, _NOBODY), partial(os.setuid, _NOBODY)):
                with suppress(OSError):
                    step()


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        size, side, max_pixels, written, quality, *box = REQUEST.unpack(head)
        data = source.read(size)
        _bound_time()
        try:
            height, width, result = _answer(data, Limits(max_pixels=max_pixels), side, WRITTEN[written], quality, box)
        except ImageError as error:
            text = f"{error.reason}\n{error.detail}".encode(errors="replace")
            sink.write(REPLY.pack(1, 0, 0, len(text)) + text)
        else:
            sink.write(REPLY.pack(0, height, width, len(result)))
            sink.write(result)
        sink.flush()


def _answer(data: bytes, limits: Limits, side: int, suffix: str, quality: int, box: list[int]) -> tuple[int, int, bytes]:
    if suffix:
        x0, y0, x1, y1 = box
        return rewrite(data, suffix, quality, (x0, y0, x1, y1) if x1 else None, limits)
    height, width = header(data, limits)
    return height, width, (decode_canvas(data, side, limits) if side else decode(data, limits)).tobytes()


def _bound_time() -> None:
    """CPU time for the image to come: the soft limit moves along with what has been used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + _SECONDS, hard))


if __name__ == "__main__":
    confine(int(sys.argv[1]))
    serve(sys.stdin.buffer, os.fdopen(1, "wb", closefd=False))
