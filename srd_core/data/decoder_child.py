"""The other side of `decoder`: a process that can do nothing but turn bytes from its input into pixels on its output.

After its imports it gives up memory beyond a bound, new files, sockets and children, and written bytes. Only Linux and macOS have
such limits; what the kernel itself can be talked into by three open pipes is not covered.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from typing import BinaryIO

import numpy as np
from PIL import JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from srd_core.data.images import ImageError, decode, decode_canvas, encode
from srd_core.data.limits import Limits

REQUEST = struct.Struct("<IIQ")
"""Bytes to come, canvas side (0: full size), pixel limit."""
REPLY = struct.Struct("<BIIQ")
"""0 for pixels or 1 for a refusal; height, width; bytes to come (pixels, or reason and detail in two lines)."""
PLUGINS = (JpegImagePlugin, MpoImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Named so that nothing is left to import once files cannot be opened any more."""


def confine(memory_bytes: int) -> None:
    """Give up what decoding does not need; there is no way back."""
    for suffix in ("jpg", "png", "webp"):
        decode_canvas(encode(np.zeros((64, 64, 3), np.uint8), suffix), 8)
    bounds = [("RLIMIT_AS", memory_bytes), ("RLIMIT_FSIZE", 0), ("RLIMIT_CORE", 0), ("RLIMIT_NPROC", 0), ("RLIMIT_NOFILE", 3)]
    for name, bound in bounds:
        if hasattr(resource, name):
            resource.setrlimit(getattr(resource, name), (bound, bound))


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the input ends."""
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        size, side, max_pixels = REQUEST.unpack(head)
        data, limits = source.read(size), Limits(max_pixels=max_pixels)
        try:
            image = decode_canvas(data, side, limits) if side else decode(data, limits)
        except ImageError as error:
            text = f"{error.reason}\n{error.detail}".encode(errors="replace")
            sink.write(REPLY.pack(1, 0, 0, len(text)) + text)
        else:
            sink.write(REPLY.pack(0, image.shape[0], image.shape[1], image.nbytes))
            sink.write(image.tobytes())
        sink.flush()


if __name__ == "__main__":
    confine(int(sys.argv[1]))
    serve(sys.stdin.buffer, os.fdopen(1, "wb", closefd=False))
