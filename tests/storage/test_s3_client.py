"""One connection a process: shared while settings and credentials stay, made anew when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from srd_core.storage.s3_client import client


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment with credentials in a file, which is returned."""
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id=first\naws_secret_access_key=x\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return file


def key() -> str:
    return client()._request_signer._credentials.access_key  # type: ignore[no-any-return]


def test_one_client_serves_all_while_nothing_changes() -> None:
    assert client() is client()


def test_new_credentials_are_taken_up(settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key() == "first"
    settled.write_text(settled.read_text().replace("first", "second"))
    os.utime(settled, ns=(1, 1))
    assert key() == "second"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "third")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    assert key() == "third"


@pytest.mark.parametrize(("endpoint", "style"), [("http://127.0.0.1:1", "path"), (None, "auto")])
def test_a_store_of_ones_own_is_addressed_by_path(endpoint: str | None, style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert client().meta.config.s3["addressing_style"] == style
