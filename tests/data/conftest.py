"""Small shards made in code, and where real photographs may lie."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from srd_core.data.images import encode
from srd_core.data.tar import TarWriter
from srd_core.seeds import generator

Pack = Callable[..., bytes]


@pytest.fixture
def photo() -> Callable[..., bytes]:
    """`photo(number, suffix="jpg", size=(24, 32))`: a smooth picture, different for each number, as bytes."""

    def make(number: int = 0, suffix: str = "jpg", size: tuple[int, int] = (24, 32)) -> bytes:
        corners = generator(number, "photo").integers(0, 256, (2, 2, 3))
        y, x = np.linspace(0, 1, size[0])[:, None, None], np.linspace(0, 1, size[1])[None, :, None]
        top, bottom = corners[0, 0] * (1 - x) + corners[0, 1] * x, corners[1, 0] * (1 - x) + corners[1, 1] * x
        return encode((top * (1 - y) + bottom * y).astype(np.uint8), suffix)

    return make


@pytest.fixture
def pack() -> Pack:
    """`pack({name: bytes | str | object})`: a tar; texts are encoded, objects become JSON."""

    def make(members: dict[str, object]) -> bytes:
        target = io.BytesIO()
        with TarWriter(target) as writer:
            for name, value in members.items():
                data = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
                writer.write(name, data)
        return target.getvalue()

    return make


@pytest.fixture
def shard_folder(tmp_path: Path, pack: Pack, photo: Callable[..., bytes]) -> Path:
    """Two shards of 20 samples with two captions each."""
    folder = tmp_path / "set"
    folder.mkdir()
    for shard in range(2):
        members: dict[str, object] = {}
        for number in range(shard * 20, shard * 20 + 20):
            members[f"{number:04}.jpg"] = photo(number)
            members[f"{number:04}.json"] = {"captions": [f"thing {number}", f"object {number}"], "id": number}
        (folder / f"part-{shard}.tar").write_bytes(pack(members))
    return folder


@pytest.fixture
def real_shard() -> Path:
    """A shard of real photographs; the test is skipped where there is none."""
    folder = Path(os.environ.get("SRD_TEST_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
    shards = sorted(folder.glob("*-test-*.tar"))
    if not shards:
        pytest.skip("no shard of photographs; set SRD_TEST_DATA")
    return shards[0]
