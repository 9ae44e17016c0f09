"""Decisions survive the file, other tools can query them, and the same rows are the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from srd_core.data.decisions import IN_COLUMNS, SCHEMA, Decision, DecisionWriter, as_row, read_decisions, rejections, score_of
from srd_core.data.samples import Reject
from srd_core.errors import SourceError

KEPT = Decision("s", "a", "s/a#0", "keep", "", q_value=0.25, q_gain=0.0, caption_before="a dog", caption_after="a dog")
MASKED = replace(KEPT, pair="s/a#1", action="mask", reason="policy", mask_x=0.5, mask_y=1.25, mask_size=0.1, suspicious_word="banana")


def written(path: Path, rows: list[Decision]) -> Path:
    with DecisionWriter(path) as writer:
        for row in rows:
            writer.write(row)
    assert writer.count == len(rows)
    return path


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    assert list(read_decisions(written(tmp_path / "d.parquet", [KEPT, MASKED]))) == [KEPT, MASKED]


def test_the_same_rows_are_the_same_bytes_across_row_groups(tmp_path: Path) -> None:
    rows = [replace(KEPT, key=str(n), pair=f"s/{n}#0") for n in range(10_000)]
    first, second = written(tmp_path / "1", rows), written(tmp_path / "2", rows)
    assert first.read_bytes() == second.read_bytes()
    assert pq.ParquetFile(first).num_row_groups == 3
    assert [row.key for row in read_decisions(first)] == [row.key for row in rows]


def test_an_empty_file_has_the_columns(tmp_path: Path) -> None:
    path = written(tmp_path / "d.parquet", [])
    assert list(read_decisions(path)) == []
    assert pq.read_schema(path).names[:5] == ["shard", "key", "pair", "action", "reason"]


def test_columns_can_be_queried_with_missing_numbers(tmp_path: Path) -> None:
    table = pq.read_table(written(tmp_path / "d.parquet", [KEPT, MASKED]))
    assert table.schema.equals(SCHEMA)
    assert table.filter(pc.equal(table["action"], "mask"))["mask_size"].to_pylist() == [0.1]
    assert table["mask_x"].null_count == 1
    assert table["score_sfs"].null_count == 2


def test_files_of_versions_that_wrote_fewer_columns_are_read(tmp_path: Path) -> None:
    sized = replace(MASKED, image_width=500, image_height=375, score_others=(("length", 3.5), ("odd", -1.0)))
    path = written(tmp_path / "d.parquet", [sized])
    assert list(read_decisions(path)) == [sized]
    pq.write_table(pq.read_table(path).drop_columns(["image_width", "image_height", "score_others"]), path)
    assert list(read_decisions(path)) == [MASKED]
    pq.write_table(pq.read_table(path).drop_columns(["mask_x"]), path)
    with pytest.raises(SourceError, match="other columns"):
        list(read_decisions(path))


def test_a_score_is_found_by_the_channel_that_gave_it() -> None:
    scored = replace(KEPT, score_nll_mean=1.0, score_nll_max=2.0, score_sfs=0.75, score_others=(("length", 3.5),))
    found = {name: score_of(scored, name) for name in (*IN_COLUMNS, "length")}
    assert found == {"nll_mean": 1.0, "nll_max": 2.0, "infidelity": 0.25, "q_gain": 0.0, "length": 3.5}
    assert [score_of(replace(KEPT, q_gain=None), name) for name in (*IN_COLUMNS, "length")] == [None] * 5


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="delete"):
        replace(KEPT, action="delete")  # type: ignore[arg-type]


def test_a_reject_has_a_row_for_each_pair() -> None:
    rows = rejections(Reject("s", "k", "corrupt-image", "…", pairs=3))
    assert [(row.pair, row.action, row.reason) for row in rows] == [(f"s/k#{n}", "reject", "corrupt-image") for n in range(3)]


def test_another_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PAR1 no")
    for path in (tmp_path / "x", tmp_path / "none"):
        with pytest.raises(SourceError, match="cannot be read as decisions"):
            list(read_decisions(path))


def test_rows_become_plain_mappings() -> None:
    assert as_row(MASKED)["mask_y"] == 1.25
    assert list(as_row(KEPT)) == SCHEMA.names
