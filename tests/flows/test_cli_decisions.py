"""`srd decisions` in the terminal: counts, then the strongest of what was changed, in lines that fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from flows.cli import cli
from srd_core.data.decisions import Decision
from srd_core.errors import TransientStorageError

LONG = "a banana on a plate " * 9
ROWS = (
    Decision("s0", "k", "s0/k#0", "keep", "no evidence", score_nll_max=30.0, suspicious_word="kite", caption_before="x", caption_after="x"),
    Decision("s0", "l", "s0/l#0", "recaption", "nll_max", score_nll_max=9.5, caption_before=LONG, caption_after="a red box"),
    Decision("s0", "m", "s0/m#0", "mask", "every image is masked", q_gain=4.0, caption_before="a bananas", caption_after="a bananas"),
    Decision("s1", "n", "s1/n#0", "recaption", "nll_max", score_nll_max=12.5, suspicious_word="香蕉", caption_before="香蕉" * 90),
    Decision("s1", "o", "s1/o#0", "reject", "no-image"),
    Decision("s1", "p", "s1/p#0", "quarantine", "x\x1b[2J", score_nll_max=7.0, caption_before="Ban\u200bana, cut"),
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Lines on stdout of `srd decisions SINK …` for these rows, in a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("srd_core.stages.decided.decided", lambda sink, flagged: iter(ROWS))

    def lines(*options: str) -> list[str]:
        result = srd("decisions", "sink", *options)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    return lines


def srd(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_counts_come_first_then_the_strongest(shown: Callable[..., list[str]]) -> None:
    """Regression: a wall of lines in the order of shards, counts last."""
    lines = shown()
    assert lines[0] == "1 keep, 1 mask, 2 recaption, 1 quarantine, 1 reject"
    assert [line.split(":")[0].split()[-1] for line in lines if not line.startswith("  ")][1:] == [
        "s1/n#0", "s0/l#0", "s1/p#0", "s0/m#0", "s1/o#0"
    ]  # fmt: skip
    assert lines[1].endswith("nll_max (香蕉)")


def test_lines_fit_and_captions_show_only_where_they_differ(shown: Callable[..., list[str]]) -> None:
    lines = shown()
    assert all(cell_len(line) <= 80 for line in lines) and "\x1b" not in "".join(lines)
    at = next(i for i, line in enumerate(lines) if "s0/l#0" in line)
    assert lines[at + 1].startswith("  before: a banana on a plate a") and lines[at + 1].endswith("…")
    assert lines[at + 2] == "  after:  a red box"
    at = next(i for i, line in enumerate(lines) if "s0/m#0" in line)
    assert not lines[at + 1].startswith("  ")


def test_a_limit_says_what_it_leaves_out(shown: Callable[..., list[str]]) -> None:
    lines = shown("--limit", "1")
    assert "s1/n#0" in lines[1] and lines[-1].startswith("… and 4 more: --limit N shows more, `srd decisions sink --out")
    result = srd("decisions", "sink", "--limit", "1", "--json")
    assert result.exit_code == 2 and "--json and --out give every pair" in result.stderr


@pytest.mark.parametrize(
    ("word", "pairs"),
    [("banana", ["s0/l#0", "s1/p#0"]), ("Banana CUT", ["s1/p#0"]), ("kite", ["s0/k#0"]), ("anana", []), ("x", ["s0/k#0"])],
)
def test_a_word_is_found_as_a_word_in_kept_pairs_too(shown: Callable[..., list[str]], word: str, pairs: list[str]) -> None:
    lines = shown("--word", word)
    assert [line.split(":")[0].split()[-1] for line in lines[1:] if not line.startswith("  ")] == pairs
    assert [json.loads(line)["pair"] for line in shown("--word", word, "--json")] == pairs


def test_a_pair_is_shown_whole(shown: Callable[..., list[str]]) -> None:
    lines = shown("--pair", "s0/l#0")
    assert lines == ["1 recaption", "recaption  s0/l#0: nll_max", f"  before: {LONG}", "  after:  a red box", "  score_nll_max 9.5"]
    assert shown("--pair", "s0/k#0")[1:4] == ["keep       s0/k#0: no evidence (kite)", "  before: x", "  after:  x"]
    assert shown("--pair", "nope") == ["no such decisions at sink"]


def test_a_word_without_letters_is_a_slip() -> None:
    result = srd("decisions", "sink", "--word", "?!")
    assert result.exit_code == 2 and "holds no letter or digit" in result.stderr


def test_json_keeps_every_pair_in_the_order_of_shards(shown: Callable[..., list[str]]) -> None:
    assert [json.loads(line)["pair"] for line in shown("--json")] == [row.pair for row in ROWS]


def test_a_decisions_file_that_is_missing_or_damaged_points_to_verify(data: Any, tmp_path: Path) -> None:
    """Regression: the hint was to check the path."""
    sink = tmp_path / "out"
    assert srd("sanitize", data.source, str(sink)).exit_code == 0
    file = sorted((sink / "decisions").iterdir())[1]
    file.write_bytes(b"x")
    damaged = srd("decisions", str(sink))
    file.unlink()
    missing = srd("decisions", str(sink))
    for result in (damaged, missing):
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"`srd verify {sink}` names everything that" in result.stderr
    assert f"decisions/{file.name} of {sink} is missing" in missing.stderr


def test_a_store_that_fails_for_now_is_not_called_damaged(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(sink: str, *, flagged: bool) -> Iterator[Decision]:
        raise TransientStorageError("503")
        yield

    monkeypatch.setattr("srd_core.stages.decided.decided", fails)
    result = srd("decisions", data.source)
    assert result.exit_code == 2 and result.stderr.startswith("error: 503")


def test_what_evidence_would_have_done_is_shown_from_its_own_file(tmp_path: Path) -> None:
    from srd_core.data.decisions import DecisionWriter
    from srd_core.scenes.dataset import write_shards
    from srd_core.stages import decided
    from srd_core.storage.base import file_digest

    write_shards(tmp_path / "source", 3, seed=1, side=32)
    assert srd("sanitize", str(tmp_path / "source"), str(tmp_path / "sink")).exit_code == 0
    missing = srd("decisions", str(tmp_path / "sink"), "--flagged")
    assert missing.exit_code == 2 and f"has no {decided.FLAGGED}. A run leaves it whose cleanse.mode is not evidence" in missing.stderr
    file = tmp_path / "sink" / decided.FLAGGED
    with DecisionWriter(file) as writer:
        writer.write(ROWS[1])
    assert srd("decisions", str(tmp_path / "sink"), "--flagged").exit_code == 2  # the manifest does not vouch for it
    manifest = tmp_path / "sink" / "MANIFEST.json"
    statement = json.loads(manifest.read_text())
    subject = {"name": file.name, "digest": {"sha256": file_digest(file)}, "annotations": {"size": file.stat().st_size}}
    manifest.write_text(json.dumps(statement | {"subject": [*statement["subject"], subject]}))
    shown = srd("decisions", str(tmp_path / "sink"), "--flagged")
    assert shown.exit_code == 0 and shown.stdout.splitlines()[:2] == ["1 recaption", "recaption  s0/l#0: nll_max"]
    assert "s0/l#0" not in srd("decisions", str(tmp_path / "sink"), "--json").stdout
    file.unlink()
    gone = srd("decisions", str(tmp_path / "sink"), "--flagged")
    assert gone.exit_code == 1 and f"`srd verify {tmp_path / 'sink'}` names everything that is missing" in gone.stderr


@pytest.mark.parametrize(
    "asked",
    [
        ("decisions", "s\udcff"),
        ("decisions", "s", "--out", "x\udcff.csv"),
        ("train", "s", "m", "--init", "i\udcff"),
        ("poison", "s", "p", "--target", "ban\udcff"),
    ],
)
def test_names_that_are_no_text(asked: tuple[str, ...]) -> None:
    """Regression: internal errors."""
    result = srd(*asked)
    assert result.exit_code == 2 and "is not a text in UTF-8" in result.stderr
