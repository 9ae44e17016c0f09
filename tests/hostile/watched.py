"""A process that sanitizes the shards it is given, one after the other, and reports on itself: what it ran, how long, how much memory.

Run as `python -m tests.hostile.watched FOLDER`; each FOLDER/NAME.tar goes to FOLDER/out/NAME. Prints one JSON line a shard.
"""

from __future__ import annotations

import json
import re
import resource
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
    """Largest memory of this process (Linux: without what it inherited) and of the largest of its children."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return ((int(found[1]) if found else 0) + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) >> 10


def main(folder: Path) -> None:
    """All shards of the folder, after an honest one."""
    from srd_core.config import Config
    from srd_core.errors import SourceError
    from srd_core.stages.sanitize import sanitize
    from srd_core.stages.stage import Run
    from tests.hostile.tars import END, good, member

    (folder / "honest").mkdir()
    (folder / "honest" / "honest.tar").write_bytes(good("a") + member("b.jpg", b"") + member("b.json", b"{") + END)
    sanitize(Run(str(folder / "honest"), str(folder / "out" / "honest"), "", Config(workers=1)))
    sys.addaudithook(watch)
    for shard in sorted(folder.glob("*.tar")):
        started, status = time.perf_counter(), "done"
        try:
            sanitize(Run(str(shard), str(folder / "out" / shard.stem), "", Config(workers=1)))
        except SourceError:
            status = "nothing usable"
        seconds = time.perf_counter() - started
        report = {"name": shard.stem, "status": status, "seconds": seconds, "peak_mb": peak_mb(), "events": list(_seen)}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
