"""What was sanitized reads the same, sample for sample, with the tools that people train with."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import datasets
import pytest
import webdataset

from srd_core.config import Config
from srd_core.data.images import encode
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.stages.sanitize import sanitize
from srd_core.stages.stage import Run
from tests.hostile.tars import PHOTO

KEYS = ["plain", "folder/inside", "ünïcode", "n" * 150, "with space"]


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sanitized shard with every kind of sample."""
    import numpy as np

    folder = tmp_path_factory.mktemp("compatible")
    with (folder / "one.tar").open("wb") as file, ShardWriter(file) as writer:
        for number, key in enumerate(KEYS):
            writer.write(Sample("one", key, PHOTO, "jpg", (f"caption {number}, é",)))
        several = {"captions": ["a", "b"], "id": 7}
        writer.write(Sample("one", "several", encode(np.zeros((9, 9, 3), np.uint8), "png"), "png", ("a", "b"), several, {"cls": b"3"}))
    sanitize(Run(str(folder / "one.tar"), str(folder / "sink"), "", Config(workers=1)))
    return folder / "sink" / "shards" / "one.tar"


@pytest.fixture(scope="module")
def ours(shard: Path) -> dict[str, dict[str, bytes]]:
    """Key → suffix → bytes, as this project reads them."""
    with shard.open("rb") as stream:
        samples = [item for item in read_shard(stream, "one") if isinstance(item, Sample)]
    assert [sample.key for sample in samples] == [*KEYS, "several"]
    made: dict[str, dict[str, bytes]] = {}
    for sample in samples:
        text = {"json": json.dumps(sample.record).encode()} if sample.record else {"txt": sample.captions[0].encode()}
        made[sample.key] = {sample.suffix: sample.image, **text, **sample.carried}
    return made


def test_webdataset(shard: Path, ours: dict[str, dict[str, bytes]]) -> None:
    read = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    found = {item["__key__"]: {name: value for name, value in item.items() if not name.startswith("__")} for item in read}
    assert found == ours


def test_webdataset_decodes_it(shard: Path) -> None:
    first, *_, last = webdataset.WebDataset(str(shard), shardshuffle=False).decode("rgb8")
    assert first["jpg"].shape == (24, 32, 3) and first["txt"] == "caption 0, é"
    assert last["json"] == {"captions": ["a", "b"], "id": 7} and last["cls"] == 3


def test_tarfile(shard: Path, ours: dict[str, dict[str, bytes]]) -> None:
    with tarfile.open(shard) as archive:
        found = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    assert found == {f"{key}.{suffix}": data for key, members in ours.items() for suffix, data in members.items()}


def test_gnu_tar(shard: Path, ours: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    subprocess.run(["tar", "xf", shard, "-C", tmp_path], check=True)
    for key, members in ours.items():
        assert all((tmp_path / f"{key}.{suffix}").read_bytes() == data for suffix, data in members.items())


def test_hugging_face_datasets(tmp_path: Path) -> None:
    """Its builder wants the same members in every sample, and decodes images itself."""
    with (tmp_path / "one.tar").open("wb") as file, ShardWriter(file) as writer:
        for number, key in enumerate(KEYS):
            writer.write(Sample("one", key, PHOTO, "jpg", (f"caption {number}, é",)))
    sanitize(Run(str(tmp_path / "one.tar"), str(tmp_path / "sink"), "", Config(workers=1)))
    shard = str(tmp_path / "sink" / "shards" / "one.tar")
    read = list(datasets.load_dataset("webdataset", data_files=shard, split="train", streaming=True))
    assert [(item["__key__"], item["txt"]) for item in read] == [(key, f"caption {number}, é") for number, key in enumerate(KEYS)]
    assert all(item["jpg"].size == (32, 24) for item in read)
