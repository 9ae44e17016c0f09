"""A process that sanitizes the shards it is given, one after the other, and reports on itself: what it ran, how long, how much memory.

Run as `python -m tests.hostile.watched FOLDER`; each FOLDER/NAME.tar goes to FOLDER/out/NAME. Prints one JSON line a shard.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

_seen: list[str] = []
_CODE = frozenset({"exec", "compile", "import", "marshal.loads", "pickle.find_class", "ctypes.dlopen", "code.__new__"})
_OUTWARDS = frozenset({"os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "socket.getaddrinfo"})


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook. After a first honest run everything is imported, and the only thing that is still started is the codec's child."""
    if event in _CODE | _OUTWARDS and "srd_core.data.codec_child" not in str(arguments):
        _seen.append(f"{event} {arguments!r}"[:200])


def peak_mb() -> int:
    """Largest memory of this process and of the largest codec child since `forget` (Linux; `getrusage` would count what was inherited)."""
    return (_high_water("self") + max(_children, default=0)) >> 10


def forget() -> None:
    """Start measuring anew."""
    _children.clear()
    Path("/proc/self/clear_refs").write_text("5")


_children: list[int] = []


def _high_water(process: str) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) if found else 0


def note_children() -> None:
    """Look at each codec child just before it is ended."""
    from srd_core.data.codec import Child

    close = Child.close

    def closing(child: Child) -> None:
        if child._process is not None and child._process.poll() is None:
            _children.append(_high_water(str(child._process.pid)))
        close(child)

    Child.close = closing  # type: ignore[method-assign]


def _busy() -> float:
    """Seconds of CPU, this process's and its ended children's: what a busy machine does not change."""
    return sum(os.times()[:4])


def main(folder: Path) -> None:
    """All shards of the folder, after an honest one."""
    from srd_core.config import Config
    from srd_core.errors import SourceError
    from srd_core.stages.sanitize import sanitize
    from srd_core.stages.stage import Run
    from tests.hostile.tars import END, good, member

    note_children()
    (folder / "honest").mkdir()
    (folder / "honest" / "honest.tar").write_bytes(good("a") + member("b.jpg", b"") + member("b.json", b"{") + END)
    sanitize(Run(str(folder / "honest"), str(folder / "out" / "honest"), "", Config(workers=1)))
    sys.addaudithook(watch)
    for shard in sorted(folder.glob("*.tar")):
        forget()
        started, busy, status = time.perf_counter(), _busy(), "done"
        try:
            sanitize(Run(str(shard), str(folder / "out" / shard.stem), "", Config(workers=1)))
        except SourceError:
            status = "nothing usable"
        spent = {"seconds": _busy() - busy, "elapsed": time.perf_counter() - started}
        report = {"name": shard.stem, "status": status, **spent, "peak_mb": peak_mb(), "events": list(_seen)}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
