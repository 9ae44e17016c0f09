"""The whole corpus through `srd sanitize`: nothing runs, nothing grows, innocent samples stay, and each refusal says why."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srd_core.data.decisions import Decision, read_decisions
from srd_core.data.images import decode
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import read_shard
from tests.hostile.corpus import CANARY, Case, corpus, crowd

CASES = corpus()
ROOT = Path(__file__).parents[2]
MEGABYTES, SECONDS, ELAPSED = 512, 10.0, 60.0
"""Memory, CPU time, and time on the clock, of which a machine that is busy with other things needs more."""


@dataclass(frozen=True)
class Treated:
    """What became of the shards."""

    out: Path
    reports: dict[str, dict[str, Any]]

    def rows(self, number: int) -> list[Decision]:
        path = self.out / f"{number:03}" / "decisions" / f"{number:03}.parquet"
        return list(read_decisions(path)) if path.exists() else []

    def kept(self, number: int) -> dict[str, Sample]:
        path = self.out / f"{number:03}" / "shards" / f"{number:03}.tar"
        if not path.exists():
            return {}
        with path.open("rb") as stream:
            return {item.key: item for item in read_shard(stream, "s") if isinstance(item, Sample)}


def run(folder: Path) -> Iterator[dict[str, Any]]:
    """Reports of a watched process on the shards of a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.hostile.watched", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    yield from map(json.loads, done.stdout.splitlines())


@pytest.fixture(scope="module")
def treated(tmp_path_factory: pytest.TempPathFactory) -> Treated:
    folder = tmp_path_factory.mktemp("hostile")
    CANARY.unlink(missing_ok=True)
    for number, case in enumerate(CASES):
        (folder / f"{number:03}.tar").write_bytes(case.shard)
    return Treated(folder / "out", {report["name"]: report for report in run(folder)})


def test_there_are_enough_cases_and_each_has_its_name() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_case(treated: Treated, number: int) -> None:
    case: Case = CASES[number]
    report, kept, rows = treated.reports[f"{number:03}"], treated.kept(number), treated.rows(number)
    assert report["events"] == [] and not CANARY.exists()
    assert report["seconds"] <= SECONDS and report["elapsed"] <= ELAPSED
    innocent = [key for key in ("first", "other", "last") if f"{key}.jpg".encode() in case.shard and (key != "last" or case.last)]
    if case.shard.startswith(b"first.jpg"):
        assert {key: kept[key].captions for key in innocent} == dict.fromkeys(innocent, ("an innocent caption",))
    else:
        assert report["status"] == "nothing usable"
        told = {item.reason for item in read_shard(io.BytesIO(case.shard), "case") if isinstance(item, Reject)}
        assert not case.reason or case.reason in told
        return
    about = [row for row in rows if row.key not in ("first", "other", "last")]
    if case.reason:
        assert case.reason in {row.reason for row in about if row.action == "reject"}
        assert all(row.action == "reject" for row in about if row.key != "evil") and (case.reason == "duplicate-key" or "evil" not in kept)
    else:
        assert [row.action for row in about] == ["keep"] and "evil" in kept


def test_memory_stays_small_over_the_whole_corpus(treated: Treated) -> None:
    assert max(report["peak_mb"] for report in treated.reports.values()) <= MEGABYTES


def test_captions_come_out_without_what_acts_on_terminals_and_readers(treated: Treated) -> None:
    texts = [caption for number in range(len(CASES)) for sample in treated.kept(number).values() for caption in sample.captions]
    assert not any(char in text for text in texts for char in "\0\x1b\x07\u202e\u200b\n")


def test_grey_of_16_bits_comes_out_as_grey(treated: Treated) -> None:
    (number,) = (number for number, case in enumerate(CASES) if case.name.endswith("PNG of 16 bits"))
    assert np.unique(decode(treated.kept(number)["evil"].image)).tolist() == [200]


def test_a_million_empty_samples(tmp_path: Path) -> None:
    crowd(tmp_path / "crowd.tar", 1_000_000)
    (report,) = run(tmp_path)
    assert (report["status"], report["events"]) == ("nothing usable", [])
    assert report["seconds"] <= SECONDS and report["elapsed"] <= ELAPSED and report["peak_mb"] <= MEGABYTES
