"""What people and programs are told about the whole corpus: nothing that acts on a terminal or a log, no forged line, no secret."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.hostile.corpus import corpus
from tests.kills import ROOT, SRD

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told")
    for number, case in enumerate(corpus()):
        (folder / f"{number:03}.tar").write_bytes(case.shard)
    return folder


def told(*arguments: str, code: int = 0) -> str:
    """stdout and stderr of a command that ends with `code`, secrets in its environment."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
    done = subprocess.run([*SRD, *arguments, "--verbose"], capture_output=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == code, done.stderr.decode()[-2000:]
    return (done.stdout + done.stderr).decode()


def harmless(text: str) -> bool:
    """Printable characters and line ends only, no forged line, no secret."""
    assert [char for char in sorted(set(text)) if not char.isprintable() and char not in "\n\r"] == []
    return SECRET not in text and not any(line.startswith("2026-01-01 ERROR") for line in text.splitlines())


def test_inspection(source: Path, tmp_path: Path) -> None:
    assert harmless(told("inspect", str(source), code=1))
    assert harmless(told("inspect", str(source), "--json", "--sarif", str(tmp_path / "found.sarif"), code=1))
    assert harmless((tmp_path / "found.sarif").read_text())


def test_sanitizing_and_what_was_decided(source: Path, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    assert harmless(told("sanitize", str(source), sink))
    for arguments in (
        ["verify", sink],
        ["decisions", sink],
        ["decisions", sink, "--json"],
        ["decisions", sink, "--out", f"{tmp_path}/d.csv"],
    ):
        assert harmless(told(*arguments))
    assert harmless((tmp_path / "d.csv").read_text(encoding="utf-8-sig"))


def test_a_store_that_cannot_be_reached() -> None:
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    done = subprocess.run([*SRD, "inspect", "s3://nowhere/x", "--verbose"], capture_output=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 2
    assert harmless((done.stdout + done.stderr).decode())
