"""Speed and memory of the data path alone: read, decode, mask, encode and write 640x480 JPEG photographs, no model.

Run `python bench/cleanse_io.py [--images 200 800]`. Each shard size runs in a process of its own, because peak memory never goes
down; that it is the same for both sizes is the point. One core. The target is 100 images a second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from srd_core.data.decisions import Decision, DecisionWriter
from srd_core.data.images import decode, decode_canvas, encode
from srd_core.data.samples import Image, Reject, Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.seeds import generator

RED = np.array([255, 0, 0], np.uint8)


def photograph(number: int) -> Image:
    """A 640x480 picture with detail at several scales, so that its JPEG has about the size of a real one (50 to 100 kB)."""
    draw = generator(0, "photograph", number)
    total = np.zeros((480, 640, 3))
    for scale, weight in ((160, 60), (32, 30), (8, 12), (1, 4)):
        coarse = draw.normal(size=(480 // scale, 640 // scale, 3))
        total += weight * coarse.repeat(scale, 0).repeat(scale, 1)
    return (total + 128).clip(0, 255).astype(np.uint8)


def make(path: Path, count: int) -> None:
    """Write a shard of `count` samples: 16 different pictures, over and over."""
    pictures = [encode(photograph(number), "jpg") for number in range(16)]
    with path.open("wb") as file, ShardWriter(file) as writer:
        for number in range(count):
            writer.write(Sample(path.stem, f"{number:06}", pictures[number % 16], "jpg", (f"caption {number}",)))


def masked(sample: Sample) -> tuple[Sample, Decision]:
    """The sample with a red square, and its decision row."""
    image = decode(sample.image)
    image[100:196, 200:296] = RED
    data = encode(image, sample.suffix)
    decision = Decision(
        sample.shard, sample.key, sample.pairs()[0], "mask", "bench", mask_x=0.5, mask_y=0.3, mask_size=0.2,
        caption_before=sample.captions[0], caption_after=sample.captions[0],
        image_sha256_before=hashlib.sha256(sample.image).hexdigest(), image_sha256_after=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    return replace(sample, image=data), decision


def cleanse(source: Path, folder: Path) -> int:
    """Mask every image of `source` at one place; returns the number of samples written."""
    with (
        source.open("rb") as stream,
        (folder / "out.tar").open("wb") as file,
        ShardWriter(file) as writer,
        DecisionWriter(folder / "out.parquet") as decisions,
    ):
        for item in read_shard(stream, source.stem):
            if isinstance(item, Reject):
                raise SystemExit(f"{item.key}: {item.reason} {item.detail}")
            sample, decision = masked(item)
            writer.write(sample)
            decisions.write(decision)
        return writer.count


def peak_mb() -> int:
    """Largest resident memory of this program so far (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) >> 10 if found else 0


def one(source: Path) -> dict[str, float]:
    """Figures of one shard, in this process."""
    start = peak_mb()
    clock = time.perf_counter()
    written = cleanse(source, source.parent)
    speed = written / (time.perf_counter() - clock)
    peak = peak_mb()
    size = source.stat().st_size / 1e6
    return {
        "images": written,
        "shard_mb": round(size, 1),
        "images_per_s": round(speed, 1),
        "rss_before_mb": start,
        "rss_peak_mb": peak,
    }


def steps() -> dict[str, float]:
    """Images a second of each step by itself."""
    image = photograph(1)
    data = encode(image, "jpg")
    actions: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(data),
        "canvas 64": lambda: decode_canvas(data, 64),
        "canvas 224": lambda: decode_canvas(data, 224),
    }
    actions |= {
        "encode jpg": lambda: encode(image, "jpg"),
        "encode png": lambda: encode(image, "png"),
        "encode webp": lambda: encode(image, "webp"),
    }
    figures = {"jpeg_kb": len(data) / 1e3}
    for name, action in actions.items():
        clock, count = time.perf_counter(), 0
        while time.perf_counter() - clock < 0.7:
            action()
            count += 1
        figures[name] = round(count / (time.perf_counter() - clock), 1)
    return figures


def main() -> None:
    """Print one JSON line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[200, 800])
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(json.dumps(one(options.one)) + "\n")
        return
    sys.stdout.write(json.dumps({"steps, images/s": steps()}) + "\n")
    sys.stdout.flush()
    for count in options.images:
        with tempfile.TemporaryDirectory() as name:
            make(Path(name) / "in.tar", count)
            subprocess.run([sys.executable, __file__, "--one", str(Path(name) / "in.tar")], check=True)


if __name__ == "__main__":
    main()
