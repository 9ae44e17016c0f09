"""Speed and memory of cleansing in paper mode: read, decode, ask the policy, mask, encode and write 640x480 JPEG photographs.

Run `python bench/cleanse_io.py [--images 200 800]`. Each shard size runs in a process of its own, because peak memory never goes
down; that it is the same for both sizes is the point. One core. The target is 100 images a second.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from srd_core.data.codec import Codec
from srd_core.data.images import decode, decode_canvas, encode
from srd_core.data.limits import Limits
from srd_core.data.samples import Image, Sample
from srd_core.data.shards import ShardWriter
from srd_core.defences.masking import MaskEverything
from srd_core.defences.rewriting import rewrite_shard
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import ActionSpace
from srd_core.policy.qnetwork import NetworkShape, QNetwork
from srd_core.seeds import generator


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


def cleanse(source: Path, folder: Path) -> int:
    """Cleanse `source` as the arm `srd` does, with an untrained policy of the usual size; returns the number of pairs decided on."""
    torch.manual_seed(0)
    space = ActionSpace()
    defence = MaskEverything(LearnedPolicy(QNetwork(NetworkShape(grid=space.grid, sizes=len(space.sizes))), space))
    with source.open("rb") as stream, Codec() as codec:
        _, tally = rewrite_shard(stream, source.stem, defence, folder, codec, canvas=64, limits=Limits())
    if tally.actions != {"mask": tally.pairs}:
        raise SystemExit(f"not every pair was masked: {tally.as_facts()}")
    return tally.pairs


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
