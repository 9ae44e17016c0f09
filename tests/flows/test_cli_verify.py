"""What `srd verify` says of files that the run did not write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from flows.cli import cli


def srd(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_files_that_the_run_did_not_write_are_named_with_what_helps(data: Any, tmp_path: Path) -> None:
    """Regression: the hint was to run the same command again, which leaves them."""
    sink = tmp_path / "out"
    assert srd("sanitize", data.source, str(sink)).exit_code == 0
    for name in ("notes.txt", "x1", "x2", "x3"):
        (sink / name).touch()
    (sink / "out of it").symlink_to("/etc/hostname")
    result = srd("verify", str(sink))
    assert result.exit_code == 1 and len(result.stdout.splitlines()) == 5
    assert (
        f"error: {sink} holds what the run did not write: notes.txt, x1, x2 and 2 more. All that the run wrote is as it was"
        in result.stderr
    )
    assert "evidence" not in result.stderr
    (sink / "shards" / "scenes-00001.tar").unlink()
    result = srd("verify", str(sink))
    assert "6 problems. Keep a copy of" in result.stderr
