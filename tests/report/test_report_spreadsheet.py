"""Decisions in a spreadsheet: all of them, readable, and nothing that acts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from flows.cli import cli
from srd_core.config import Config
from srd_core.data.decisions import SCHEMA, Decision
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.errors import StorageError
from srd_core.report.spreadsheet import safe_cell, write
from srd_core.stages.sanitize import sanitize
from srd_core.stages.stage import Run
from tests.stages.test_stages_once import make

FORMULAS = ('=HYPERLINK("http://evil","click")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1+1", " =1", "\u200b=1", "'=1")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert safe_cell(text).startswith(("'", "⟨U+"))


@given(st.text(st.characters(codec=None)))
def test_any_text_is_one_visible_line_that_does_nothing(text: str) -> None:
    cell = safe_cell(text)
    assert len(cell.splitlines()) <= 1 and cell.encode() is not None and not cell.lstrip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


def rows() -> list[Decision]:
    texts = [*FORMULAS, 'a "dog", a cat', "two\nlines", "gr\u00fc\u00df"]
    return [
        Decision("s", f"{i}", f"s/{i}#0", "keep", "", q_value=-0.5, caption_before=text, score_others=(("length", 1.5),))
        for i, text in enumerate(texts)
    ]


def test_a_csv_holds_every_row_once(tmp_path: Path) -> None:
    assert write(rows(), tmp_path / "d.csv") == len(rows())
    with (tmp_path / "d.csv").open(encoding="utf-8-sig", newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == SCHEMA.names
    assert [row["caption_before"] for row in read] == [safe_cell(row.caption_before) for row in rows()]
    assert {row["score_others"] for row in read} == {"length 1.5"}
    assert {row["q_value"] for row in read} == {"-0.5"} and {row["mask_x"] for row in read} == {""}


def test_a_parquet_file_keeps_the_types(tmp_path: Path) -> None:
    assert write(rows(), tmp_path / "d.parquet") == len(rows())
    table = pq.read_table(tmp_path / "d.parquet")
    assert table.schema.equals(SCHEMA)
    assert table["caption_before"].to_pylist() == [safe_cell(row.caption_before) for row in rows()]


@pytest.mark.parametrize("name", ["d.csv", "d.parquet"])
@pytest.mark.parametrize("before", [b"of an earlier run", None])
def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path, name: str, before: bytes | None) -> None:
    """Regression: it left a well-formed file that lacked rows, in the place of a good one."""
    if before is not None:
        (tmp_path / name).write_bytes(before)

    def cut_off() -> Iterator[Decision]:
        yield from rows() * 1000
        raise StorageError("the connection was lost", hint="")

    with pytest.raises(StorageError):
        write(cut_off(), tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ({name: before} if before is not None else {})


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "d.csv").symlink_to(tmp_path / "there" / "real.csv")
    write(rows(), tmp_path / "d.csv")
    assert (tmp_path / "d.csv").is_symlink() and [path.name for path in (tmp_path / "there").iterdir()] == ["real.csv"]


@pytest.fixture(scope="module")
def sink(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a sanitized set of six pairs and one formula that is no image."""
    folder = tmp_path_factory.mktemp("decided")
    source = make(folder / "source", shards=2, samples=3)
    with (source / "s9.tar").open("wb") as file, ShardWriter(file) as writer:
        writer.write(Sample("s9", "=1+1", b"GIF89a", "jpg", ("=1+1",)))
    sanitize(Run(str(source), str(folder / "sink"), "", Config(workers=1)))
    return str(folder / "sink")


def decisions(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["decisions", *arguments])


def test_programs_get_a_line_for_each_pair(sink: str) -> None:
    lines = [json.loads(line) for line in decisions(sink, "--json").stdout.splitlines()]
    assert len({line["pair"] for line in lines}) == len(lines) == 7


def test_only_what_was_asked_for(sink: str, tmp_path: Path) -> None:
    assert "0 decisions" in decisions(sink, "--action", "recaption", "--out", str(tmp_path / "d.csv")).stdout
    assert "6 decisions" in decisions(sink, "--action", "keep", "--out", str(tmp_path / "d.csv")).stdout


def test_people_get_counts(sink: str) -> None:
    counts, reject = decisions(sink).stdout.splitlines()
    assert counts == "6 keep, 1 reject" and reject.startswith("reject     s9/=1+1#0: ")


def test_an_unknown_format_is_refused(sink: str, tmp_path: Path) -> None:
    result = decisions(sink, "--out", str(tmp_path / "d.xlsx"))
    assert result.exit_code == 2 and "neither .csv nor .parquet" in result.stderr


def test_a_run_that_has_not_finished_has_no_decisions(tmp_path: Path) -> None:
    result = decisions(str(tmp_path))
    assert result.exit_code == 2 and "has no MANIFEST.json" in result.stderr
