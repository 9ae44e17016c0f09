"""What nobody would look into is no hiding place: a sink is taken, and found to be as it was written, by what lies there, not by names."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from srd_core.config import Config
from srd_core.data.images import encode
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.errors import ClaimedError
from srd_core.stages.sanitize import sanitize
from srd_core.stages.stage import Run
from srd_core.stages.verification import check


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    with (folder / "s0.tar").open("wb") as file, ShardWriter(file) as writer:
        writer.write(Sample("s0", "a", encode(np.zeros((8, 8, 3), np.uint8), "png"), "png", ("a thing",)))
    return folder


def plant(sink: Path, name: str, what: str) -> None:
    """A link to a folder of shards, a pipe, or a file."""
    (sink / name).parent.mkdir(parents=True, exist_ok=True)
    if what == "link":
        (sink / name).symlink_to(sink.parent / "source")
    elif what == "pipe":
        os.mkfifo(sink / name)
    else:
        (sink / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("lost+found", "link"),
        ("lost+found", "file"),
        ("lost+found", "pipe"),
        ("lost+found/s0.tar", "file"),
        (".gitkeep", "link"),
        (".keep", "pipe"),
        ("shards/.DS_Store", "link"),
    ],
)
def test_a_name_hides_nothing(source: Path, tmp_path: Path, name: str, what: str) -> None:
    """Regression: `srd verify` was blind to a link called lost+found or .gitkeep, and so to the folder that it leads to."""
    plant(tmp_path / "before", name, what)
    with pytest.raises(ClaimedError, match="a run has its sink to itself"):
        sanitize(Run(str(source), str(tmp_path / "before"), "", Config()))
    sanitize(Run(str(source), str(tmp_path / "after"), "", Config()))
    plant(tmp_path / "after", name, what)
    (told,) = check(str(tmp_path / "after"))
    assert name in told and " is in the sink, but " in told
