"""Decoding in a confined child: the same pixels, and what kills the child costs one image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from srd_core.data import codec_child
from srd_core.data.codec import Box, Child, Codec, Look, Rewrite
from srd_core.data.images import ImageError, decode, decode_canvas, encode
from srd_core.data.limits import Limits
from srd_core.errors import DecoderError

Photo = Callable[..., bytes]


@pytest.fixture(scope="module")
def codec() -> Iterator[Codec]:
    with Codec() as running:
        yield running


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_pixels_are_those_of_the_plain_decoder(codec: Codec, photo: Photo, suffix: str) -> None:
    data = photo(4, suffix, (120, 90))
    image = codec.decode(data)
    assert np.array_equal(image, decode(data))
    assert np.array_equal(codec.look(data, 32).canvas, decode_canvas(data, 32))
    image[0] = 0


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "webp"])
@pytest.mark.parametrize("box", [None, (3, 5, 40, 30)])
def test_a_rewritten_file_is_the_pixels_encoded_with_the_box_on_them(codec: Codec, photo: Photo, suffix: str, box: Box | None) -> None:
    data = photo(4, suffix, (60, 90))
    pixels = decode(data)
    if box:
        pixels[box[1] : box[3], box[0] : box[2]] = (255, 0, 0)
    assert codec.rewrite(Rewrite(data, suffix, 80, box)) == encode(pixels, suffix, 80)


def test_several_children_answer_in_the_order_of_the_questions(photo: Photo) -> None:
    images = [photo(number, "jpg", (20 + 37 * number % 90, 30)) for number in range(12)]
    images[4] = b"broken"
    with Codec(children=3) as codec:
        looks = list(codec.looks(images, 16))
        files = list(codec.rewrites(Rewrite(data, "png", 90) for data in images))
    sizes = [(look.height, look.width) if isinstance(look, Look) else look.reason for look in looks]
    assert sizes == [(20 + 37 * number % 90, 30) if number != 4 else "unsupported-image" for number in range(12)]
    assert [isinstance(file, ImageError) for file in files] == [number == 4 for number in range(12)]
    assert all(np.array_equal(decode(file), decode(data)) for file, data in zip(files, images, strict=True) if isinstance(file, bytes))


def test_children_are_not_far_ahead_of_whoever_takes_their_answers(photo: Photo) -> None:
    asked = []
    with Codec(children=2) as codec:
        files = codec.rewrites(asked.append(number) or Rewrite(photo(), "png", 90) for number in range(40))
        next(files)
        assert 2 <= len(asked) <= 5
        assert len(list(files)) == 39


def test_refusals_keep_their_reason_and_the_child_goes_on(codec: Codec, photo: Photo) -> None:
    for data, reason in ((b"GIF89a", "unsupported-image"), (photo(1)[:300], "corrupt-image"), (b"", "unsupported-image")):
        with pytest.raises(ImageError) as caught:
            codec.decode(data)
        assert caught.value.reason == reason
    assert codec.decode(photo()).shape == (24, 32, 3)


def test_the_pixel_limit_reaches_the_child(photo: Photo) -> None:
    with Codec(Limits(max_pixels=100)) as strict, pytest.raises(ImageError, match="too-many-pixels"):
        strict.decode(photo())


def strike_on(bad: bytes, how: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every child that is asked about `bad` gets that signal first; one that is stopped has had its time."""
    real = Child._exchange

    def exchange(self: Child, process: subprocess.Popen[bytes], head: bytes, data: bytes) -> tuple[int, int, bytes]:
        if data == bad:
            process.send_signal(how)
            self._deadline = 0 if how == signal.SIGSTOP else self._deadline
        return real(self, process, head, data)

    monkeypatch.setattr(Child, "_exchange", exchange)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_dies_costs_one_image(photo: Photo, monkeypatch: pytest.MonkeyPatch, how: signal.Signals) -> None:
    strike_on(photo(1), how, monkeypatch)
    with Codec() as codec:
        looks = list(codec.looks([photo(0), photo(1), photo(2)], 16))
    assert [look.reason if isinstance(look, ImageError) else "" for look in looks] == ["", "decoder-died", ""]


def test_a_child_that_dies_of_something_else_costs_no_image(photo: Photo) -> None:
    with Codec() as codec:
        codec.decode(photo())
        first = codec._all[0]._running()
        os.kill(first.pid, signal.SIGSTOP)
        threading.Timer(0.2, first.kill).start()
        assert codec.decode(photo()).shape == (24, 32, 3)
        assert codec._all[0]._running() is not first


def test_a_child_that_hangs_is_killed_by_the_clock(photo: Photo) -> None:
    with Codec(seconds=3) as codec:
        first = codec._all[0]._running()
        os.kill(first.pid, signal.SIGSTOP)
        assert codec.decode(photo()).shape == (24, 32, 3)
        assert first.wait() == -signal.SIGKILL and codec._all[0]._running() is not first


def test_ctrl_c_does_not_reach_the_children(codec: Codec) -> None:
    assert os.getpgid(codec._all[0]._running().pid) != os.getpgid(0)


def test_where_no_child_can_live_no_image_is_blamed(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    for program, said in (("/bin/false", "dies on a good image too"), ("/nowhere/python", "cannot be started")):
        monkeypatch.setattr(sys, "executable", program)
        with Codec() as codec, pytest.raises(DecoderError, match=said):
            list(codec.looks([photo()], 16))


FORGER = """
import sys
from srd_core.data import codec_child as child
real = child._answer
def answer(data, *rest):
    if data.startswith(b"bad"):
        raise child.ImageError(*data.decode()[3:].split("|"))
    return real(data, *rest)
child._answer = answer
child.serve(sys.stdin.buffer, sys.stdout.buffer)
"""


def test_what_a_child_that_was_taken_over_says_is_not_passed_on(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    started: Any = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: started([sys.executable, "-c", FORGER], **options))
    said = [b"badtoo-many-pixels|\x1b[31mred\nline" + b"x" * 3000, b"badkeep|fine", b"badcorrupt-image|" + b"x" * 5000, photo()]
    with Codec() as codec:
        first, second, third, last = codec.looks(said, 16)
    assert isinstance(first, ImageError) and isinstance(second, ImageError) and isinstance(third, ImageError)
    assert first.reason == "too-many-pixels" and first.detail.startswith("[31mred line") and len(first.detail) == 200
    assert [second.reason, third.reason] == ["decoder-died"] * 2
    assert isinstance(last, Look)


def test_a_child_that_works_too_long_is_ended_by_its_cpu_time() -> None:
    code = "import srd_core.data.codec_child as child\nchild._SECONDS = 1\nchild._bound_time()\nwhile True: pass"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=100).returncode == -signal.SIGXCPU


@pytest.mark.slow
def test_a_busy_machine_costs_no_image(photo: Photo) -> None:
    """A child that gets no time for longer than an image may cost it has used nothing up."""
    with Codec() as codec:
        child = codec._all[0]._running()
        os.kill(child.pid, signal.SIGSTOP)
        threading.Timer(codec_child._SECONDS + 4, child.send_signal, [signal.SIGCONT]).start()
        assert codec.decode(photo()).shape == (24, 32, 3)


def test_a_clock_that_strikes_just_after_the_answer_costs_nothing(photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(Limits(), memory_bytes=2**31, seconds=0)
    answer = child._exchange

    def then_strike(*arguments: Any) -> Any:
        result = answer(*arguments)
        child.look_at_the_clock()
        return result

    monkeypatch.setattr(child, "_exchange", then_strike)
    sizes = [child.ask(photo(seed), 0)[:2] for seed in range(5)]
    child.close()
    assert len(set(sizes)) == 1


def test_an_image_beyond_the_childs_memory_is_an_image_error(photo: Photo) -> None:
    large = encode(np.zeros((6000, 6000, 3), np.uint8), "png")
    with Codec(memory_bytes=400 * 2**20) as codec:
        assert codec.decode(photo()).shape == (24, 32, 3)
        with pytest.raises(ImageError, match=r"corrupt-image|decoder-died"):
            codec.decode(large)
        assert codec.decode(photo()).shape == (24, 32, 3)


def test_the_child_can_open_nothing() -> None:
    code = (
        "import os, socket; from srd_core.data.codec_child import confine; confine(2**31); os.close(2)\n"
        "try: open('/dev/null')\nexcept OSError: print('no file')\n"
        "try: socket.socket()\nexcept OSError: print('no socket')\n"
        "try: os.fork()\nexcept OSError: print('no child')\n"
        "print('not root' if os.getuid() else 'root')"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert said.stdout.split("\n")[:4] == ["no file", "no socket", "no child", "not root"]
