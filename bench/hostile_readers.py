"""The hostile corpus of the tests through the readers that people use, each case in a process with limits: who survives what.

Run `python -m bench.hostile_readers`, where `datasets` (Hugging Face) is optional. Prints a Markdown table and the single outcomes.
Payloads can only create one file; even so, run it where nothing is lost.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.corpus import CANARY, Case, corpus

MEMORY, SECONDS = 512 * 2**20, 20
Reader = Callable[[Path], Iterator[str]]
"""Yields the keys of the samples it has decoded."""


def with_webdataset(path: Path) -> Iterator[str]:
    """Its default decoding, as in its documentation."""
    import webdataset

    for sample in webdataset.WebDataset(str(path), shardshuffle=False).decode("rgb8"):
        yield sample["__key__"]


def with_datasets(path: Path) -> Iterator[str]:
    """The webdataset builder of Hugging Face datasets."""
    import datasets

    for sample in datasets.load_dataset("webdataset", data_files=str(path), split="train", streaming=True):
        yield str(sample["__key__"])


def with_tarfile(path: Path) -> Iterator[str]:
    """Python's tarfile and Pillow, as in many scripts."""
    from PIL import Image

    with tarfile.open(path) as archive:
        for info in archive:
            data = archive.extractfile(info)
            content = data.read() if data else b""
            if info.name.lower().endswith((".jpg", ".jpeg", ".png", ".webp")):
                Image.open(io.BytesIO(content)).convert("RGB")
                yield info.name.partition(".")[0]


def with_srd(path: Path) -> Iterator[str]:
    """The strict reader and the confined codec."""
    from srd_core.data.codec import Codec, Look
    from srd_core.data.samples import Sample
    from srd_core.data.shards import read_shard

    with path.open("rb") as stream, Codec() as codec:
        for item in read_shard(stream, "s"):
            if isinstance(item, Sample):
                with contextlib.suppress(ValueError):
                    look: Look = codec.look(item.image, 16)
                    if look.height:
                        yield item.key


READERS: dict[str, Reader] = {"srd": with_srd, "webdataset": with_webdataset, "datasets": with_datasets, "tarfile + Pillow": with_tarfile}


def outcome(reader: Reader, case: Case, folder: Path) -> set[str]:
    """What happened in a child process; empty when all is well."""
    path = folder / "case.tar"
    path.write_bytes(case.shard)
    CANARY.unlink(missing_ok=True)
    told = folder / "told"
    told.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _child(reader, path, told)
    _, status = os.waitpid(child, 0)
    keys = told.read_text().split("\n") if told.exists() else []
    found = {"ran code"} if CANARY.exists() else set()
    if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 3:
        found.add("hit a limit")
    elif os.WEXITSTATUS(status):
        found.add("stopped with an error")
    innocent = {"first", "last"} if case.last else {"first"}
    if case.shard.startswith(b"first.jpg") and not innocent <= set(keys):
        found.add("lost innocent samples")
    bad = sum(key.lower().startswith("evil") for key in keys)
    if case.reason and bad > (case.reason == "duplicate-key"):
        found.add("took the bad one")
    return found


def _child(reader: Reader, path: Path, told: Path) -> None:
    """Never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY + _used(), MEMORY + _used()))
    signal.alarm(SECONDS)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    keys: list[str] = []
    code = 0
    try:
        keys.extend(reader(path))
    except MemoryError:
        code = 3
    except BaseException:
        code = 1
    told.write_text("\n".join(keys), errors="replace")
    os._exit(code)


def _used() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main() -> None:
    """Print the table, then each case in which a reader fared badly."""
    import PIL.Image
    import webdataset

    PIL.Image.init()
    available = dict(READERS)
    try:
        import datasets
    except ImportError:
        del available["datasets"]
    versions = {"webdataset": webdataset.__version__, "tarfile + Pillow": f"{sys.version.split()[0]} + {PIL.__version__}"}
    if "datasets" in available:
        versions["datasets"] = datasets.__version__
    cases = corpus()
    totals: dict[str, Counter[str]] = {name: Counter() for name in available}
    lines = []
    with tempfile.TemporaryDirectory() as name:
        for case in cases:
            found = {reader: outcome(work, case, Path(name)) for reader, work in available.items()}
            for reader, what in found.items():
                totals[reader].update(what or {"fared well"})
            cells = " | ".join(", ".join(sorted(found[reader])) or "–" for reader in available)
            lines.append(f"| {case.name} | {case.reason or 'to be kept'} | {cells} |")
    kinds = ("ran code", "hit a limit", "stopped with an error", "lost innocent samples", "took the bad one", "fared well")
    titles = [f"{reader} {versions.get(reader, '')}".strip() for reader in available]
    out = [f"| of {len(cases)} shards | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    out += [f"| {kind} | {' | '.join(str(totals[reader][kind]) for reader in available)} |" for kind in kinds]
    out += ["", f"| shard | right | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|", *lines]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
