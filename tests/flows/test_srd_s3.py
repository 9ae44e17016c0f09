"""A whole run from a bucket to a bucket, on a real S3 server, and that it hands back the same as from folder to folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.srd import srd
from srd_core.errors import StorageError
from srd_core.stages.seal import Statement
from srd_core.stages.verification import check
from srd_core.storage import open_storage

HANDED_BACK = ("shards/", "decisions/", "quarantine/", "model/")


def upload(folder: str, uri: str) -> None:
    storage = open_storage(uri)
    for path in sorted(Path(folder).glob("*.tar")):
        storage.put_file(path.name, path)


@pytest.fixture
def bucket(s3: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return "s3://runs"


def test_bucket_to_bucket_is_the_same_as_folder_to_folder(data: Any, bucket: str, prefect_server: None, tmp_path: Path) -> None:
    upload(data.source, f"{bucket}/suspect")
    upload(data.trusted, f"{bucket}/trusted")
    verdict = srd(f"{bucket}/suspect", f"{bucket}/sink", f"{bucket}/trusted", profile="test", overrides=["workers=0"])
    assert check(f"{bucket}/sink") == []
    assert srd(data.source, str(tmp_path / "sink"), data.trusted, profile="test", overrides=["workers=0"]) == verdict
    here, there = open_storage(str(tmp_path / "sink")), open_storage(f"{bucket}/sink")
    theirs = {subject.name: subject for subject in Statement.read(there).subject}
    mine = {subject.name: subject for subject in Statement.read(here).subject if subject.name.startswith(HANDED_BACK)}
    assert mine == {name: theirs[name] for name in mine}
    assert {info.key for info in there.list("shards/")} == {name for name in mine if name.startswith("shards/")}


def test_wrong_credentials_end_in_one_clear_error(bucket: str, prefect_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="runs"):
        srd(f"{bucket}/suspect", f"{bucket}/sink", f"{bucket}/trusted", profile="test", overrides=["workers=0"])
