"""What is left to the process that decodes images, once an image has taken it over: nothing that reaches its user's other things."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

GIVE_UP = "from srd_core.data.landlock import give_up_everything; print(give_up_everything())"
TAKEN_OVER = """
import ctypes, os, sys
from srd_core.data.codec_child import confine

if os.getuid() == 0:
    os.setgid(65533)
    os.setuid(65533)
if os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
if "confined" in sys.argv:
    confine(2**31)
ATTACH = 16
print("traced" if ctypes.CDLL(None).ptrace(ATTACH, os.getppid(), None, None) == 0 else "not traced")
try:
    os.unlink(sys.argv[1])
    print("removed")
except OSError:
    print("not removed")
"""

if not sys.platform.startswith("linux"):
    pytest.skip("Landlock is Linux's", allow_module_level=True)


def said(code: str, *arguments: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


@pytest.fixture
def file() -> Iterator[Path]:
    """A file that any user may remove."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        (Path(folder) / "file").touch()
        yield Path(folder) / "file"


def test_it_can_do_nothing_to_what_its_user_has(file: Path) -> None:
    """What it could open was bounded before, and it could remove files and write to its parent's memory."""
    if said(GIVE_UP) == ["0"]:
        pytest.skip("this kernel has no Landlock")
    assert said(TAKEN_OVER, str(file), "confined") == ["not traced", "not removed"]


def test_its_user_could_remove_the_file(file: Path) -> None:
    assert said(TAKEN_OVER, str(file))[1] == "removed"
