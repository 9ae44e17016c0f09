"""What safety costs: `srd sanitize` against reading with webdataset, decoding and encoding with Pillow, and writing with webdataset.

Run `taskset -c 0 python bench/safety.py [--images 600]`. Both do the same work on the same 640x480 JPEG photographs with one process (and
its codec child) on one core, turn by turn; the figure is the ratio. The target is 0.6.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import webdataset
from cleanse_io import make
from PIL import Image

from srd_core.config import Config
from srd_core.data.codec import Codec
from srd_core.data.limits import Limits
from srd_core.defences.controls import NoDefence
from srd_core.defences.rewriting import rewrite_shard


def plain(source: Path, target: Path) -> None:
    """What most pipelines do."""
    with webdataset.TarWriter(str(target)) as writer:
        for sample in webdataset.WebDataset(str(source), shardshuffle=False):
            picture = Image.open(io.BytesIO(sample["jpg"])).convert("RGB")
            data = io.BytesIO()
            picture.save(data, "JPEG", quality=90)
            writer.write({"__key__": sample["__key__"], "jpg": data.getvalue(), "txt": sample["txt"].decode()})


def strict(source: Path, folder: Path, codec: Codec) -> None:
    """The same through the strict reader, the confined codec, the deterministic writer, with a decision row a pair."""
    with source.open("rb") as stream:
        rewrite_shard(stream, source.stem, NoDefence(), folder, codec, canvas=Config().canvas, limits=Limits())


def seconds(work: Callable[[], None]) -> float:
    """Wall-clock time of one call."""
    clock = time.perf_counter()
    work()
    return time.perf_counter() - clock


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Codec() as codec:
        source, folder = Path(name) / "in.tar", Path(name)
        make(source, options.images)
        strict(source, folder, codec)
        times = [
            (seconds(lambda: plain(source, folder / "plain.tar")), seconds(lambda: strict(source, folder, codec)))
            for _ in range(options.rounds)
        ]
    usual, ours = (statistics.median(column) for column in zip(*times, strict=True))
    speeds = {"plain, images/s": round(options.images / usual, 1), "strict, images/s": round(options.images / ours, 1)}
    sys.stdout.write(json.dumps({**speeds, "ratio": round(statistics.median(a / b for a, b in times), 2)}) + "\n")


if __name__ == "__main__":
    main()
