"""Untrusted images read and re-written in child processes with limits: a file that kills or stalls a codec costs one sample, not the run.

The parent never unpickles or trusts what comes back beyond its size, and image bytes that are passed on were written by this code from
pixels. A child costs 0.3 s to start; what goes through its pipes is small: image files, and squares of canvas size. It may also die of
something that is not the image's fault, so an image is refused only if a second child dies on it too while a third reads a good one.
"""

from __future__ import annotations

import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from srd_core.data.captions import clean
from srd_core.data.codec_child import REPLY, REQUEST, WRITTEN
from srd_core.data.images import REASONS, ImageError, encode
from srd_core.data.limits import Limits
from srd_core.data.samples import Image
from srd_core.errors import DecoderError

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Box = tuple[int, int, int, int]
"""Pixels (x0, y0, x1, y1), ends excluded."""


@dataclass(frozen=True, slots=True)
class Look:
    """An image as models see it, (side, side, 3), and the `height` and `width` that it has itself."""

    canvas: Image
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is to be written: the pixels of `data` as `suffix` says, in a `quality` of 1 to 100, with a red `box` on them."""

    data: bytes
    suffix: str
    quality: int
    box: Box | None = None


class Child:
    """One process; started on first use and again after it died. For one thread at a time.

    Args:
        limits: bound on pixels.
        memory_bytes: address space of the child, its libraries included.
        seconds: wall-clock time for one image, for a child that sleeps; one that works is bounded by CPU time, whatever the load.
    """

    def __init__(self, limits: Limits, *, memory_bytes: int, seconds: float) -> None:
        self._limits, self._memory, self._seconds = limits, memory_bytes, seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = math.inf
        self._clock = threading.Lock()

    def ask(self, data: bytes, side: int, suffix: str = "", quality: int = 90, box: Box | None = None) -> tuple[int, int, bytes]:
        """(height, width, result): pixels of the squashed or the whole image, or the bytes of a new file.

        Raises:
            ImageError: the image cannot be used. DecoderError: no image can be decoded on this machine, not even a good one.
        """
        head = REQUEST.pack(len(data), side, self._limits.max_pixels, _format(suffix), quality, *(box or _NO_BOX))
        for _ in range(_ATTEMPTS):
            with suppress(BrokenPipeError, EOFError):
                return self._once(head, data)
        try:
            self._once(REQUEST.pack(len(_GOOD), 0, 1, 0, 0, *_NO_BOX), _GOOD)
        except (BrokenPipeError, EOFError, ImageError) as error:
            hint = "Look whether memory has run out, and whether processes may be started; then run again, it goes on where it stopped"
            raise DecoderError("the process that decodes images dies on a good image too", hint=hint) from error
        raise ImageError("decoder-died", "the decoding process ended on this image, twice (memory, time or a crash)")

    def _once(self, head: bytes, data: bytes) -> tuple[int, int, bytes]:
        """One question and its answer. BrokenPipeError or EOFError: the process died, or answered what none of ours does."""
        process = self._running()
        with self._clock:
            self._deadline = time.monotonic() + self._seconds
        try:
            return self._exchange(process, head, data)
        except ImageError:
            raise
        except BaseException:  # what is left in the pipe belongs to no later question
            self.close()
            raise
        finally:
            with self._clock:
                killed, self._deadline = self._deadline == -math.inf, math.inf
            if killed:  # perhaps just after the answer: the next image must not meet a dying process
                self.close()

    def look_at_the_clock(self) -> None:
        """Kill the process if its image has had all its time. For another thread."""
        with self._clock:
            process = self._process
            if process is not None and time.monotonic() > self._deadline:
                process.kill()
                self._deadline = -math.inf

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            command = [sys.executable, "-P", "-m", "srd_core.data.codec_child", str(self._memory)]  # -P: nothing from the working folder
            quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            pipe = subprocess.PIPE
            try:
                self._process = subprocess.Popen(
                    command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=quiet, close_fds=True, start_new_session=True
                )  # a session of its own: Ctrl-C is for the parent, which decides when a child ends
            except OSError as error:
                hint = "Look whether memory, processes or open files have run out"
                raise DecoderError(f"the process that decodes images cannot be started: {error.strerror or error}", hint=hint) from error
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], head: bytes, data: bytes) -> tuple[int, int, bytes]:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(head)
        process.stdin.write(data)
        process.stdin.flush()
        status, height, width, size = REPLY.unpack(_exactly(process, REPLY.size))
        if status:
            reason, _, detail = _exactly(process, min(size, _MOST_TEXT + 1)).decode(errors="replace").partition("\n")
            if reason not in REASONS or size > _MOST_TEXT:
                raise EOFError
            raise ImageError(reason, clean(detail)[:_MOST_SHOWN])
        if height * width > self._limits.max_pixels or size > 4 * self._limits.max_pixels + 2**20:
            raise EOFError
        return height, width, _exactly(process, size)


_NO_BOX = (0, 0, 0, 0)
_FORMATS = {"jpeg": "jpg"}
_TICK = 0.2
_ATTEMPTS = 2
_AHEAD = 2
"""Questions a child."""
_GOOD = encode(np.zeros((1, 1, 3), np.uint8), "png")
_MOST_TEXT = 4_096
"""Bytes of a reason with its detail."""
_MOST_SHOWN = 200


def _format(suffix: str) -> int:
    lowered = suffix.lower()
    return WRITTEN.index(_FORMATS.get(lowered, lowered))


def _exactly(process: subprocess.Popen[bytes], size: int) -> bytes:
    data = process.stdout.read(size) if process.stdout is not None else b""
    if len(data) < size:
        raise EOFError
    return data


class Codec:
    """Several children behind one door. A context manager; results come in the order of the questions, whatever the number of children.

    Args:
        limits: bound on pixels.
        children: processes; results do not depend on it.
        memory_bytes: address space of each, its libraries included.
        seconds: wall-clock time for one image, for a child that sleeps; one that works is bounded by CPU time, whatever the load.
    """

    def __init__(self, limits: Limits | None = None, *, children: int = 1, memory_bytes: int = 2 * 2**30, seconds: float = 120.0) -> None:
        self._limits = limits or Limits()
        self._all = [Child(self._limits, memory_bytes=memory_bytes, seconds=seconds) for _ in range(children)]
        self._free: queue.SimpleQueue[Child] = queue.SimpleQueue()
        for child in self._all:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(children, thread_name_prefix="srd-codec") if children > 1 else None
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="srd-codec-clock", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the children."""
        self._closed.set()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for child in self._all:
            child.close()

    def decode(self, data: bytes) -> Image:
        """Like `images.decode`; besides its reasons, ImageError has `decoder-died` (killed by a limit, a crash or the clock)."""
        height, width, pixels = self._ask(data, 0)
        return _image(pixels, height, width)

    def look(self, data: bytes, side: int) -> Look:
        """Like `images.decode_canvas`, with the reasons of `decode`."""
        height, width, pixels = self._ask(data, side)
        return Look(_image(pixels, side, side), height, width)

    def rewrite(self, job: Rewrite) -> bytes:
        """A new image file, made from pixels. Raises ImageError as `decode` does."""
        return self._ask(job.data, 0, job.suffix, job.quality, job.box)[2]

    def looks(self, images: Iterable[bytes], side: int) -> Iterator[Look | ImageError]:
        """`look` at each, in order; errors are handed out, not raised."""

        def one(data: bytes) -> Look | ImageError:
            try:
                return self.look(data, side)
            except ImageError as error:
                return error

        return self._each(one, images)

    def rewrites(self, jobs: Iterable[Rewrite]) -> Iterator[bytes | ImageError]:
        """`rewrite` each, in order; errors are handed out, not raised."""

        def one(job: Rewrite) -> bytes | ImageError:
            try:
                return self.rewrite(job)
            except ImageError as error:
                return error

        return self._each(one, jobs)

    def _each(self, work: Callable[[Question], Answer], items: Iterable[Question]) -> Iterator[Answer]:
        """Answers in order; children are ahead of whoever takes them by a few, so that few wait in memory."""
        if self._threads is None:
            yield from map(work, items)
            return
        waiting: deque[Future[Answer]] = deque()
        for item in items:
            waiting.append(self._threads.submit(work, item))
            if len(waiting) > _AHEAD * len(self._all):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _watch(self) -> None:
        while not self._closed.wait(_TICK):
            for child in self._all:
                child.look_at_the_clock()

    def _ask(self, data: bytes, side: int, suffix: str = "", quality: int = 90, box: Box | None = None) -> tuple[int, int, bytes]:
        child = self._free.get()
        try:
            return child.ask(data, side, suffix, quality, box)
        finally:
            self._free.put(child)


def _image(pixels: bytes, height: int, width: int) -> Image:
    if len(pixels) != height * width * 3:
        raise ImageError("decoder-died", "the decoding process answered with something that is not an image")
    return np.frombuffer(bytearray(pixels), np.uint8).reshape(height, width, 3)
