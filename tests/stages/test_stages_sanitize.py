"""The data path by itself: everything is accounted for, nothing but pixels and clean text comes out, and a change of it is found."""

from __future__ import annotations

import io
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from srd_core.config import Config
from srd_core.data.decisions import DecisionWriter, read_decisions
from srd_core.data.images import decode, encode
from srd_core.data.limits import Limits
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Sample
from srd_core.data.shards import read_shard
from srd_core.data.tar import TarWriter
from srd_core.errors import VerificationError
from srd_core.stages import inventory, stage
from srd_core.stages.decided import decided
from srd_core.stages.sanitize import SANITIZE, sanitize
from srd_core.stages.seal import NAME, Statement, seal
from srd_core.stages.stage import Run
from srd_core.stages.verification import check
from srd_core.storage import open_storage
from tests.removal import remove

LIMITS = Limits()


def picture(number: int) -> np.ndarray:
    return np.full((20, 30, 3), 20 * number % 250, np.uint8)


def with_comment(number: int) -> bytes:
    target = io.BytesIO()
    Pillow.fromarray(picture(number)).save(target, "JPEG", comment=b"#!/bin/sh hidden", exif=b"Exif\0\0hidden")
    return target.getvalue() + b"PK hidden behind the end"


def write(path: Path, members: list[tuple[str, bytes]]) -> None:
    with path.open("wb") as file, TarWriter(file) as writer:
        for name, data in members:
            writer.write(name, data)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for shard in range(2):
        members = [("bad.jpg", b"no image"), ("bad.json", b'{"captions": ["x", "y"]}')]
        for number in range(6):
            members += [(f"{number}.jpg", with_comment(number)), (f"{number}.txt", f"thing\u200b {number}\n".encode())]
        members += [
            ("p.png", encode(picture(3), "png")),
            ("p.txt", b"plain"),
            ("evil.jpg", with_comment(1)),
            ("evil.pickle", b"cos\nsystem\n"),
        ]
        write(folder / f"s{shard}.tar", members)
    return folder


@pytest.fixture(scope="module")
def sink(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    sink = tmp_path_factory.mktemp("sanitized") / "sink"
    tally = sanitize(Run(str(source), str(sink), "", Config(workers=1)))
    refused = {"unsupported-image": 4, "executable-member": 2}
    assert tally.as_facts() == {"pairs": 20, "actions": {"keep": 14, "reject": 6}, "rejects": refused}
    return sink


@pytest.fixture
def copy(sink: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(sink, tmp_path / "sink")
    yield tmp_path / "sink"


def samples(sink: Path, shard: str = "s0", limits: Limits = LIMITS) -> list[Sample]:
    with (sink / "shards" / f"{shard}.tar").open("rb") as stream:
        return [item for item in read_shard(stream, shard, limits) if isinstance(item, Sample)]


def test_only_pixels_come_out(sink: Path) -> None:
    assert b"hidden" not in (sink / "shards" / "s0.tar").read_bytes()
    made = samples(sink)
    assert [sample.key for sample in made] == ["0", "1", "2", "3", "4", "5", "p"]
    assert all(np.abs(decode(sample.image).astype(int) - picture(number)).max() < 4 for number, sample in enumerate(made[:6]))
    assert np.array_equal(decode(made[6].image), picture(3))


def test_captions_are_clean_and_their_rows_say_what_they_were(sink: Path) -> None:
    assert [sample.captions for sample in samples(sink)][:2] == [("thing 0",), ("thing 1",)]
    rows = {row.pair: row for row in read_decisions(sink / "decisions" / "s0.parquet")}
    assert (rows["s0/0#0"].caption_before, rows["s0/0#0"].caption_after) == ("thing\u200b 0", "thing 0")
    assert rows["s0/0#0"].reason == "no defence; caption cleaned" and rows["s0/p#0"].reason == "no defence"
    assert [rows[f"s0/bad#{i}"].reason for i in range(2)] == ["unsupported-image"] * 2


@pytest.mark.parametrize("workers", [2, 4])
def test_the_number_of_workers_does_not_show(source: Path, sink: Path, tmp_path: Path, workers: int) -> None:
    sanitize(Run(str(source), str(tmp_path), "", Config(workers=workers)))
    mine, theirs = (Statement.read(open_storage(str(folder))) for folder in (tmp_path, sink))
    assert mine.subject == theirs.subject and len(mine.subject) == 5
    assert mine.predicate["configuration"] == theirs.predicate["configuration"]


def test_verbatim_keeps_the_bytes_and_still_refuses_what_does_not_decode(source: Path, tmp_path: Path) -> None:
    tally = sanitize(Run(str(source), str(tmp_path), "", Config(workers=1, cleanse={"verbatim": True})))  # type: ignore[arg-type]
    assert tally.rejects == {"unsupported-image": 4, "executable-member": 2}
    assert samples(tmp_path)[2].image == with_comment(2)


def test_the_sample_that_was_changed_is_named_on_s3(sink: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    there = open_storage("s3://stages/damaged")
    for path in (path for path in sink.rglob("*") if path.is_file() and "stages" not in path.parts):
        there.put_file(path.relative_to(sink).as_posix(), path)
    assert check(there.uri) == []
    remove(there, "decisions/s1.parquet")
    target = io.BytesIO()
    with TarWriter(target) as writer:
        for name, data in members_of(samples(sink)):
            writer.write(name, b"another" if name == "3.txt" else data)
    there.put_bytes("shards/s0.tar", target.getvalue(), overwrite=True)
    first, *rest = check(there.uri)
    assert first == "decisions/s1.parquet is missing" and rest[1:] == ["shards/s0.tar: 3 has other captions"]


def test_an_untouched_sink_is_as_it_was_written(sink: Path) -> None:
    assert check(str(sink)) == []


def test_a_flipped_byte_is_found_wherever_it_is(copy: Path) -> None:
    draw = random.Random(0)
    for path in sorted(copy.rglob("*/*.tar")) + sorted(copy.rglob("*.parquet")):
        if "stages" in path.parts:
            continue
        for _ in range(6):
            data = bytearray(path.read_bytes())
            place = draw.randrange(len(data))
            data[place] ^= 1 << draw.randrange(8)
            before, _ = path.read_bytes(), path.write_bytes(data)
            assert any(path.name in problem for problem in check(str(copy))), (path.name, place)
            path.write_bytes(before)
    assert check(str(copy)) == []


def members_of(made: list[Sample]) -> list[tuple[str, bytes]]:
    """What a shard of these samples holds."""
    return [item for one in made for item in ((f"{one.key}.{one.suffix}", one.image), (f"{one.key}.txt", one.captions[0].encode()))]


@pytest.mark.parametrize(
    ("changed", "data", "what"),
    [("3.jpg", with_comment(9), "3 has another image"), ("3.txt", b"x", "3 has other captions")],
)
def test_the_sample_that_was_changed_is_named(copy: Path, changed: str, data: bytes, what: str) -> None:
    write(copy / "shards" / "s0.tar", [(name, data if name == changed else old) for name, old in members_of(samples(copy))])
    problems = check(str(copy))
    assert f"shards/s0.tar: {what}" in problems
    assert len(problems) == 2


def test_what_the_runs_limits_let_through_is_no_damage(tmp_path: Path) -> None:
    limits, sink = Limits(max_caption_chars=30_000), tmp_path / "out"
    (tmp_path / "in").mkdir()
    members = [(f"{key}.{suffix}", data) for key in "ab" for suffix, data in (("jpg", with_comment(1)), ("txt", b"x" * 20_000))]
    write(tmp_path / "in" / "s0.tar", members)
    sanitize(Run(str(tmp_path / "in"), str(sink), "", Config(limits=limits)))
    first, second = samples(sink, limits=limits)
    write(sink / "shards" / "s0.tar", members_of([first, replace(second, captions=("another",))]))
    assert [problem for problem in check(str(sink)) if ": " in problem] == ["shards/s0.tar: b has other captions"]


@pytest.mark.parametrize("shard", ["s0", "漢" * 66])
def test_names_as_long_as_the_limits_allow_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "progress").mkdir()
    monkeypatch.setenv("SRD_PROGRESS", str(tmp_path / "progress"))
    limits, key = Limits(max_name_bytes=2000), "n" * 1900
    members = [(f"{key}.jpg", with_comment(1)), (f"{key}.txt", b"x"), ("bad.pickle", b"x")]
    with (tmp_path / "in" / f"{shard}.tar").open("wb") as file, TarWriter(file, limits) as writer:
        for name, data in members:
            writer.write(name, data)
    sanitize(Run(str(tmp_path / "in"), str(tmp_path / "out"), "", Config(limits=limits)))
    assert [sample.key for sample in samples(tmp_path / "out", shard, limits)] == [key]
    assert check(str(tmp_path / "out")) == []


def test_samples_that_vanish_or_appear_are_named(copy: Path) -> None:
    kept = [sample for sample in samples(copy) if sample.key != "4"]
    write(copy / "shards" / "s0.tar", [*members_of(kept), ("new.jpg", kept[0].image), ("new.txt", b"x")])
    problems = check(str(copy))
    assert "shards/s0.tar: 4 is missing" in problems and "shards/s0.tar: new was not written by the run" in problems


def test_a_shard_that_was_added_is_named(copy: Path) -> None:
    shutil.copy(copy / "shards" / "s0.tar", copy / "shards" / "s9.tar")
    assert check(str(copy)) == ["shards/s9.tar is in the sink, but not in the manifest"]


@pytest.mark.parametrize(
    "planted", ["model/evil.py", "model/pytorch_model.bin", "arms/srd/shards/s0.tar", "report.html", "MANIFEST.json.bak"]
)
def test_a_file_that_was_added_anywhere_is_named(copy: Path, planted: str) -> None:
    (copy / planted).parent.mkdir(parents=True, exist_ok=True)
    (copy / planted).write_bytes(b"x")
    assert check(str(copy)) == [f"{planted} is in the sink, but not in the manifest"]


def test_what_is_no_file_is_named_too(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (copy / "model").symlink_to(tmp_path / "elsewhere")
    (copy / "shards" / "a\x1b[2J.tar").write_bytes(b"x")
    assert check(str(copy)) == [
        "'model' is in the sink, but no file that the run wrote",
        "'shards/a\\x1b[2J.tar' is in the sink, but no file that the run wrote",
    ]


def test_another_claim_is_found(copy: Path) -> None:
    (copy / "RUN.json").write_bytes((copy / "RUN.json").read_bytes().replace(b'"seed":0', b'"seed":1'))
    assert check(str(copy)) == ["RUN.json has other content than when it was written"]


def test_manifests_that_do_not_name_the_claim_hold(copy: Path) -> None:
    fields = json.loads((copy / NAME).read_text())
    fields["subject"] = [subject for subject in fields["subject"] if subject["name"] != "RUN.json"]
    (copy / NAME).write_text(json.dumps(fields))
    assert check(str(copy)) == []


def test_forged_decisions_are_not_shown(copy: Path) -> None:
    rows = list(read_decisions(copy / "decisions" / "s1.parquet"))
    with DecisionWriter(copy / "decisions" / "s1.parquet") as writer:
        for row in rows:
            writer.write(replace(row, action="keep"))
    shown: list[str] = []
    with pytest.raises(VerificationError, match=r"decisions/s1\.parquet of .* is not what the run wrote"):
        shown.extend(row.shard for row in decided(str(copy)))
    assert set(shown) == {"s0"}


def test_a_run_that_has_lost_pairs_is_not_sealed(source: Path, tmp_path: Path) -> None:
    run = Run(str(source), str(tmp_path / "sink"), "", Config(workers=1))
    sanitize(run)
    (tmp_path / "sink" / NAME).unlink()
    listed = inventory.take(run, "source")
    made = {name: SANITIZE.execute(run, {"source": listed}, {"shard": name}) for name in ("s0", "s1")}
    (decisions,) = [ref for name, ref in made["s0"].outputs.items() if name.startswith("decisions/")]
    both = {f"arms/srd/decisions/{name}.parquet": decisions for name in made}
    other = StageManifest(stage="cleanse-srd", key="k", outputs=both, facts={"pairs": 19})
    for manifests, told in (
        ({"s0": made["s0"]}, "decisions: 10 pairs of 1 shards"),
        ({**made, "again": made["s1"]}, "decisions: 30 pairs of 3 shards"),
        ({**made, "other": other}, "arms/srd/decisions: 19 pairs of 2 shards, decisions: 20 pairs of 2 shards"),
    ):
        with pytest.raises(VerificationError, match=rf"not every pair of the 2 shards .*\({told}\)"):
            seal(run, {"source": listed, **manifests})
    assert not (tmp_path / "sink" / NAME).exists()
    seal(run, {"source": listed, **made, "other": other.model_copy(update={"facts": {"pairs": 20}})})


def test_the_manifest_tells_what_an_earlier_run_made_with_other_libraries(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(str(source / "s0.tar"), str(tmp_path), "", Config(workers=1))
    with monkeypatch.context() as earlier:
        earlier.setattr(stage, "libraries", lambda: {"pillow": "0"})
        sanitize(run)
    sanitize(run)
    predicate = json.loads((tmp_path / NAME).read_text())["predicate"]
    assert predicate["made_with_others"] == {"sanitize-s0": {"pillow": "0"}} and predicate["libraries"]["pillow"] != "0"


def test_the_manifest_is_a_statement_that_others_can_read(sink: Path) -> None:
    fields = json.loads((sink / NAME).read_text())
    assert fields["_type"] == "https://in-toto.io/Statement/v1" and set(fields) == {"_type", "subject", "predicateType", "predicate"}
    assert all(set(subject["digest"]) == {"sha256"} for subject in fields["subject"])
    assert set(fields["predicate"]) >= {"inputs", "configuration", "code", "libraries"}


def test_the_manifest_of_the_data_path_claims_no_more_than_was_done(sink: Path) -> None:
    fields = json.loads((sink / NAME).read_text())
    assert fields["predicateType"] == "urn:srd:sanitize:v1" and "policy" not in fields["predicate"]
    assert fields["predicate"]["configuration"].keys() == {"limits", "cleanse"}
    assert fields["predicate"]["configuration"]["cleanse"].keys() == {"quality", "verbatim"}


def test_a_manifest_of_an_earlier_version_is_still_checked(copy: Path) -> None:
    fields = json.loads((copy / NAME).read_text())
    (copy / NAME).write_text(json.dumps({**fields, "predicateType": "urn:srd:cleanse:v1"}))
    assert check(str(copy)) == []


def test_links_out_of_the_sink_are_named_and_so_is_all_else(copy: Path, tmp_path: Path) -> None:
    """Regression: verify ended at the first one with an error of the storage, and named nothing."""
    (copy / "decisions").rename(tmp_path / "elsewhere")
    (copy / "decisions").symlink_to(tmp_path / "elsewhere")
    (copy / "shards" / "s0.tar").rename(tmp_path / "s0.tar")
    (copy / "shards" / "s0.tar").symlink_to(tmp_path / "s0.tar")
    (copy / "shards" / "s1.tar").unlink()
    out = f"leads out of {copy}"
    assert sorted(check(str(copy))) == [
        "'decisions' is in the sink, but no file that the run wrote",
        "'shards/s0.tar' is in the sink, but no file that the run wrote",
        f"decisions/s0.parquet cannot be read: 'decisions/s0.parquet' {out}",
        f"decisions/s1.parquet cannot be read: 'decisions/s1.parquet' {out}",
        f"shards/s0.tar cannot be read: 'shards/s0.tar' {out}",
        "shards/s1.tar is missing",
    ]


def test_a_folder_that_is_a_link_within_the_sink_is_named_and_what_lies_there_is_not(copy: Path) -> None:
    (copy / "shards").rename(copy / "real")
    (copy / "shards").symlink_to("real")
    strange = ["real/s0.tar is in the sink, but not in the manifest", "real/s1.tar is in the sink, but not in the manifest"]
    assert check(str(copy)) == [*strange, "'shards' is in the sink, but no file that the run wrote"]
