"""Commands killed at random moments and begun again, until what they leave can be compared."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from srd_core.data.manifest import digest
from srd_core.stages.seal import NAME
from srd_core.stages.verification import check
from srd_core.storage import open_storage
from tests.removal import remove

ROOT = Path(__file__).parents[1]
SRD = [sys.executable, "-c", "from flows.cli import main; main()"]
IN_A_ROW = 4


def start(arguments: Sequence[str], settings: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """`srd ARGUMENTS --set …` in a process group of its own."""
    options = [part for setting in settings for part in ("--set", setting)]
    return subprocess.Popen(
        [*SRD, *arguments, *options], cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def manifest(sink: str) -> str:
    """Digest of the manifest, which names the digest of everything else."""
    assert check(sink) == []
    return digest(open_storage(sink).read_bytes(NAME).decode())


def sealed(sink: str) -> dict[str, str]:
    """Digest of everything in the manifest by its name, and of the manifest itself."""
    whole = manifest(sink)
    statement = json.loads(open_storage(sink).read_bytes(NAME))
    return {NAME: whole, **{subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}}


def empty(sink: str) -> None:
    """Remove every object."""
    storage = open_storage(sink)
    for info in storage.list():
        remove(storage, info.key)


def survive(arguments: Sequence[str], sink: str, kills: int, settings: Sequence[str] = ()) -> set[str]:
    """Kill `srd ARGUMENTS` at random moments and go on; the manifests of all finished sinks, that of a run left alone among them.

    Stops at the first that differs, and says in what. A run that comes to its end before it is killed does not count.
    """
    whole = finish(start(arguments, settings))
    undisturbed, draw = sealed(sink), random.Random(kills)
    manifests = {undisturbed[NAME]}
    while kills > 0:
        empty(sink)
        for _ in range(min(IN_A_ROW, kills)):
            if not killed(start(arguments, settings), after=draw.uniform(0.1, 1.0) * whole):
                break
            kills -= 1
        finish(start(arguments, settings))
        left = sealed(sink)
        changed = sorted(name for name in undisturbed.keys() | left.keys() if undisturbed.get(name) != left.get(name))
        assert not changed, f"with {kills} kills to go, these differ: {', '.join(changed)}"
        manifests.add(left[NAME])
    return manifests


def killed(process: subprocess.Popen[bytes], after: float) -> bool:
    """Whether it was alive after so many seconds, which it is no longer."""
    try:
        _, errors = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return True
    assert process.returncode == 0, errors.decode()
    return False


def finish(process: subprocess.Popen[bytes]) -> float:
    """Seconds to the end, which has to be a good one."""
    clock = time.perf_counter()
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return time.perf_counter() - clock


def marked(mark: str) -> set[str]:
    """Numbers of the living processes whose environment holds `mark`."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (entry / "environ").read_bytes() and "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[:1]:
                found.add(entry.name)
    return found


def until(met: Callable[[], bool], seconds: float) -> bool:
    """Whether that is so at last, looking for at most so long."""
    deadline = time.monotonic() + seconds
    while not met() and time.monotonic() < deadline:
        time.sleep(0.2)
    return met()
