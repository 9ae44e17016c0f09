"""Memory over a long stream: shards of 1 GB, made while they are read, through the strict reader, the codec and the writer.

Run `python bench/stream.py [--gigabytes 20]`. Prints a JSON line a shard: images so far, images a second, and the peak memory of this
process, which must not grow. (That of the codec's child is bounded by its limit.)
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from cleanse_io import peak_mb, photograph

from srd_core.data.codec import Codec
from srd_core.data.images import encode
from srd_core.data.limits import Limits
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.defences.controls import NoDefence
from srd_core.defences.rewriting import rewrite_shard

_BATCH = 64
_END = 1024


class Stream(io.RawIOBase):
    """A shard of at least `size` bytes that exists only while it is read."""

    def __init__(self, size: int) -> None:
        self._parts, self._held = self._made(size), b""

    def _made(self, size: int) -> Iterator[bytes]:
        pictures = [encode(photograph(number), "jpg") for number in range(16)]
        count = 0
        while size > 0:
            part = io.BytesIO()
            with ShardWriter(part) as writer:
                for number in range(count, count + _BATCH):
                    writer.write(Sample("s", f"{number:07}", pictures[number % 16], "jpg", (f"caption {number}",)))
            count += _BATCH
            size -= part.tell() - _END
            yield part.getvalue()[:-_END]
        yield bytes(_END)

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        if not self._held:
            self._held = next(self._parts, b"")
        data, self._held = self._held[:size], self._held[size:]
        return data


def main() -> None:
    """One line a shard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=int, default=20)
    options = parser.parse_args()
    images, started = 0, time.perf_counter()
    with Codec() as codec:
        for shard in range(options.gigabytes):
            folder = Path(tempfile.mkdtemp())
            stream = cast(BinaryIO, Stream(10**9))
            _, tally = rewrite_shard(stream, f"s{shard}", NoDefence(), folder, codec, canvas=64, limits=Limits())
            shutil.rmtree(folder)
            images += tally.pairs
            speed = round(images / (time.perf_counter() - started), 1)
            sys.stdout.write(json.dumps({"gigabytes": shard + 1, "images": images, "images_per_s": speed, "peak_mb": peak_mb()}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
