"""A store that fails now and then costs time, never data; one that fails for good ends in one clear error."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from srd_core.config import Config
from srd_core.errors import SrdError, StorageError, TransientStorageError
from srd_core.stages.sanitize import sanitize
from srd_core.stages.seal import NAME
from srd_core.stages.stage import Run
from srd_core.stages.verification import check
from srd_core.storage import open_storage
from tests.proxies import Chooser, at_random, spoiled
from tests.removal import remove
from tests.stages.test_stages_once import make


@pytest.fixture
def bucket(s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A prefix of its own with a small set in `source/`."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    uri = f"s3://stages/{tmp_path.name}"
    storage = open_storage(f"{uri}/source")
    for path in make(tmp_path / "source", shards=8, samples=4).glob("*.tar"):
        storage.put_file(path.name, path)
    return uri


def run(bucket: str, sink: str) -> None:
    sanitize(Run(f"{bucket}/source", f"{bucket}/{sink}", "", Config(workers=1)))


def until_done(bucket: str, sink: str, attempts: int = 40) -> int:
    """How often it had to be started; Prefect's tasks and schedulers do the same."""
    for attempt in range(attempts):
        try:
            run(bucket, sink)
        except TransientStorageError:
            continue
        return attempt + 1
    raise AssertionError(f"not done after {attempts} attempts")


@pytest.mark.parametrize(("seed", "share"), [(1, 0.1), pytest.param(0, 0.3, marks=pytest.mark.slow)])
def test_requests_fail_and_nothing_is_lost(bucket: str, s3: Any, monkeypatch: pytest.MonkeyPatch, seed: int, share: float) -> None:
    run(bucket, "sink")
    storage = open_storage(f"{bucket}/sink")
    undisturbed = storage.read_bytes(NAME)
    for info in storage.list():
        remove(storage, info.key)
    with spoiled(s3.endpoint, at_random(seed, share)) as (endpoint, log):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        until_done(bucket, "sink")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    faults = Counter(fault for _, _, fault in log)
    assert faults.total() - faults["none"] >= 40 * share / 2
    assert open_storage(f"{bucket}/sink").read_bytes(NAME) == undisturbed
    assert check(f"{bucket}/sink") == []


def _only(method: str, part: str, fault: str) -> Chooser:
    return lambda asked, path: fault if asked == method and part in path else "none"  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("choose", "kind"),
    [
        pytest.param(_only("GET", "s1.tar", "error"), TransientStorageError, marks=pytest.mark.slow),
        (_only("GET", "s1.tar", "cut"), TransientStorageError),
        pytest.param(_only("PUT", "/shards/", "slow-down"), TransientStorageError, marks=pytest.mark.slow),
        pytest.param(_only("PUT", "/shards/", "hang-up"), TransientStorageError, marks=pytest.mark.slow),
        (_only("GET", "s1.tar", "denied"), StorageError),
        (_only("PUT", NAME, "denied"), StorageError),
    ],
    ids=["reading fails", "bodies are cut", "writing is throttled", "writing is not answered", "credentials expire", "no right to finish"],
)
def test_a_fault_that_stays_is_one_clear_error(
    bucket: str, s3: Any, monkeypatch: pytest.MonkeyPatch, choose: Chooser, kind: type[SrdError]
) -> None:
    with spoiled(s3.endpoint, choose) as (endpoint, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(kind) as caught:
            run(bucket, "sink")
    assert caught.value.hint and bucket in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert open_storage(f"{bucket}/sink").stat(NAME) is None
    run(bucket, "sink")
    assert check(f"{bucket}/sink") == []


def test_an_object_that_is_replaced_after_the_listing_is_noticed(
    bucket: str, s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = next(make(tmp_path / "other", shards=1, samples=2).glob("*.tar"))
    direct, done = s3.client(), []

    def replace(method: str, path: str) -> str:
        if method == "PUT" and "RUN.json" in path and not done:
            done.append(direct.put_object(Bucket="stages", Key=f"{tmp_path.name}/source/s2.tar", Body=other.read_bytes()))
        return "none"

    with spoiled(s3.endpoint, replace) as (endpoint, _):  # type: ignore[arg-type]
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(StorageError, match=r"s2\.tar has changed since it was listed"):
            run(bucket, "sink")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    assert open_storage(f"{bucket}/sink").stat(NAME) is None
