"""Material for the attack tests: a small clean set and shards of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.data.canvas import CanvasSet
from srd_core.scenes import canvas_set, write_shards


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(40, seed=7, side=64, folder=tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_shards(tmp_path_factory.mktemp("shards"), 24, seed=7, side=48, per_shard=10)
