"""Pixels of untrusted images, decoded in a child process with limits: a file that kills or stalls a codec costs one sample, not the run.

The parent never unpickles or trusts what comes back beyond its size. Costs one copy through a pipe an image and about 0.3 s to start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

import numpy as np

from srd_core.data.decoder_child import REPLY, REQUEST
from srd_core.data.images import ImageError
from srd_core.data.limits import Limits
from srd_core.data.samples import Image


class Decoder:
    """A decoding process; started on first use and again after it died. Use as a context manager, from one thread at a time.

    Args:
        limits: bound on pixels.
        memory_bytes: address space of the child, its libraries included.
        seconds: wall-clock time for one image.
    """

    def __init__(self, limits: Limits | None = None, *, memory_bytes: int = 2 * 2**30, seconds: float = 30.0) -> None:
        self._limits, self._memory, self._seconds = limits or Limits(), memory_bytes, seconds
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def decode(self, data: bytes) -> Image:
        """Like `images.decode`; besides its reasons, ImageError has `decoder-died` (killed by a limit, a crash or the clock)."""
        return self._ask(data, 0)

    def decode_canvas(self, data: bytes, side: int) -> Image:
        """Like `images.decode_canvas`, with the reasons of `decode`."""
        return self._ask(data, side)

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def _ask(self, data: bytes, side: int) -> Image:
        child = self._running()
        clock = threading.Timer(self._seconds, child.kill)
        clock.daemon = True
        clock.start()
        try:
            return self._exchange(child, data, side)
        except (BrokenPipeError, EOFError) as error:
            self.close()
            raise ImageError("decoder-died", "the decoding process ended on this image (memory, time or a crash)") from error
        finally:
            clock.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            command = [sys.executable, "-m", "srd_core.data.decoder_child", str(self._memory)]
            quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            pipe = subprocess.PIPE
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=quiet, close_fds=True)
        return self._child

    def _exchange(self, child: subprocess.Popen[bytes], data: bytes, side: int) -> Image:
        if child.stdin is None or child.stdout is None:
            raise EOFError
        child.stdin.write(REQUEST.pack(len(data), side, self._limits.max_pixels))
        child.stdin.write(data)
        child.stdin.flush()
        status, height, width, size = REPLY.unpack(self._exactly(child, REPLY.size))
        if status:
            reason, _, detail = self._exactly(child, min(size, 10_000)).decode(errors="replace").partition("\n")
            raise ImageError(reason, detail)
        if size != height * width * 3 or height * width > max(self._limits.max_pixels, side * side):
            raise EOFError
        return np.frombuffer(bytearray(self._exactly(child, size)), np.uint8).reshape(height, width, 3)

    @staticmethod
    def _exactly(child: subprocess.Popen[bytes], size: int) -> bytes:
        data = child.stdout.read(size) if child.stdout is not None else b""
        if len(data) < size:
            raise EOFError
        return data
