"""Exactly once: whatever happens on the way, a sink ends up the same, and never holds two runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srd_core.config import Config, load_config
from srd_core.data.images import encode
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.errors import ClaimedError, ConfigError, ConflictError
from srd_core.stages.difference import difference
from srd_core.stages.sanitize import sanitize
from srd_core.stages.stage import Run
from srd_core.stages.verification import check
from srd_core.storage import open_storage
from tests.kills import start, survive


def make(folder: Path, shards: int = 4, samples: int = 12) -> Path:
    """A small source."""
    folder.mkdir()
    for shard in range(shards):
        with (folder / f"s{shard}.tar").open("wb") as file, ShardWriter(file) as writer:
            for number in range(samples):
                image = np.random.default_rng(shard * 100 + number).integers(0, 255, (60, 80, 3)).astype(np.uint8)
                writer.write(Sample("s", f"{number}", encode(image, "jpg"), "jpg", (f"thing {number}",)))
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("once") / "source")


def test_kills_leave_no_trace(source: Path, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    assert len(survive(["sanitize", str(source), sink], sink, kills=8)) == 1


@pytest.mark.slow
def test_a_hundred_kills_leave_no_trace(source: Path, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    assert len(survive(["sanitize", str(source), sink], sink, kills=100)) == 1


@pytest.fixture
def remote(s3: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return "s3://stages/once"


@pytest.mark.slow
def test_a_hundred_kills_leave_no_trace_on_s3(source: Path, remote: str) -> None:
    assert len(survive(["sanitize", str(source), remote], remote, kills=100)) == 1


@pytest.mark.parametrize("place", ["local", "remote"])
def test_of_twenty_racing_runs_one_wins_and_the_others_are_told(
    source: Path, place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sink = str(tmp_path / "sink") if place == "local" else f"{request.getfixturevalue('remote')}-race"
    racers = [start(["sanitize", str(source), sink], [f"cleanse.quality={quality}"]) for quality in range(60, 80)]
    codes = [racer.wait() for racer in racers]
    told = [racer.stderr.read().decode() for racer in racers if racer.stderr]
    assert sorted(codes) == [0] + [2] * 19
    assert all("belongs to a run that is different in cleanse.quality" in text for text, code in zip(told, codes, strict=True) if code)
    assert check(sink) == []
    winner = 60 + codes.index(0)
    sanitize(Run(str(source), sink, "", Config(cleanse={"quality": winner})))  # type: ignore[arg-type]


def test_runs_that_are_the_same_may_share_a_sink(source: Path, tmp_path: Path) -> None:
    racers = [start(["sanitize", str(source), str(tmp_path / "sink")], [f"workers={1 + number % 3}"]) for number in range(6)]
    assert [racer.wait() for racer in racers] == [0] * 6
    assert check(str(tmp_path / "sink")) == []


def test_another_source_is_told_too(source: Path, tmp_path: Path) -> None:
    sink = str(tmp_path / "sink")
    sanitize(Run(str(source), sink, "", Config()))
    other = make(tmp_path / "other", shards=1)
    with pytest.raises(ConflictError, match=r"inputs\.source.*Choose another sink"):
        sanitize(Run(str(other), sink, "", Config()))
    assert check(sink) == []


def test_what_differs_is_told_with_the_weightiest_first(source: Path, tmp_path: Path) -> None:
    """Regression: of another source and another profile, the message told three settings of a model and a number."""
    sink = str(tmp_path / "sink")
    sanitize(Run(str(source), sink, "", load_config("photos", overrides=["seed=4"])))
    other = make(tmp_path / "other", shards=1)
    told = r"different in inputs\.source \(other shards\), the profile \(photos there, test here\), seed \(4 there, 0 here\)\. Choose"
    with pytest.raises(ClaimedError, match=told):
        sanitize(Run(str(other), sink, "", load_config("test")))
    with pytest.raises(ClaimedError, match=r"different in the profile \(photos there, none here\), seed \(4 there, 5 here\)\. "):
        sanitize(Run(str(source), sink, "", Config(seed=5)))
    (tmp_path / "sink" / "RUN.json").write_text("[]")
    with pytest.raises(ClaimedError, match=r"that its RUN\.json cannot be read"):
        sanitize(Run(str(source), sink, "", Config()))


@pytest.mark.parametrize(
    "forged",
    [
        '{"\\u001b]0;x\\u0007\\u202ea": 1}',
        '{"srd": "\\u001b[2J"}',
        '{"a":' * 100_000,
        '"' + "x" * 2**21 + '"',
        '{"a":' * 900 + "1" + "}" * 900,
        json.dumps({"x" * 500_000: dict.fromkeys(map(str, range(45_000)))}),  # as flat keys 22 GB
    ],
    ids=["title", "clear", "deep", "long", "deep and whole", "wide"],
)
def test_a_forged_claim_is_told_of_and_acts_on_nothing(source: Path, tmp_path: Path, forged: str) -> None:
    """Regression: its keys went to the terminal as they were, and one that was deep ended in an internal error."""
    (tmp_path / "RUN.json").write_text(forged)
    with pytest.raises(ClaimedError) as error:
        sanitize(Run(str(source), str(tmp_path), "", Config()))
    assert str(error.value).isprintable() and len(str(error.value)) < 1000


def test_a_claim_that_can_just_be_read_can_be_told() -> None:
    """A few levels fewer than json reads leave room for reading a list, and none for writing it out."""
    for depth in range(900, 1000):
        try:
            there = json.loads('{"srd": ' + "[" * depth + "]" * depth + "}")
        except RecursionError:
            break
        assert difference(there, {"srd": "1"}).startswith("srd ([[[")
    else:
        pytest.fail("every depth can be read")


def test_a_key_that_an_older_version_did_not_have_is_named(source: Path, tmp_path: Path) -> None:
    """Where its default is null, the message was "different in ."."""
    sink = tmp_path / "sink"
    sanitize(Run(str(source), str(sink), "", Config()))
    kept = json.loads((sink / "RUN.json").read_text())
    assert kept["configuration"]["evaluation"].pop("attacker") is None
    (sink / "RUN.json").write_text(json.dumps(kept))
    with pytest.raises(ConflictError, match=r"different in evaluation\.attacker \(nothing there, None here\)"):
        sanitize(Run(str(source), str(sink), "", Config()))


def test_a_sink_with_results_that_no_run_has_claimed_is_refused(source: Path, tmp_path: Path) -> None:
    """A data set could bring `clean/stages`, with records of shards that it says were sanitized."""
    sink = tmp_path / "sink"
    sanitize(Run(str(source), str(sink), "", Config()))
    (sink / "RUN.json").unlink()
    with pytest.raises(ConfigError, match=r"holds stages/ but no RUN\.json"):
        sanitize(Run(str(source), str(sink), "", Config()))
    (sink / "stages").rename(sink / "elsewhere")
    (sink / "stages").symlink_to(sink / "elsewhere")
    with pytest.raises(ConfigError, match=r"holds stages/ but no RUN\.json"):
        sanitize(Run(str(source), str(sink), "", Config()))
    (sink / "stages").unlink()
    with pytest.raises(ClaimedError, match=r"and no RUN\.json: a run has its sink to itself"):
        sanitize(Run(str(source), str(sink), "", Config()))
    shutil.rmtree(sink)
    sanitize(Run(str(source), str(sink), "", Config()))


@pytest.mark.parametrize("place", ["shards", "", "in/the/sink", "link"])
def test_a_sink_that_holds_an_input_is_refused_before_anything_is_written(source: Path, tmp_path: Path, place: str) -> None:
    """`srd sanitize data/shards data` would write data/shards/s0.tar."""
    folder = tmp_path / "data" / (place if place != "link" else "shards")
    shutil.copytree(source, folder)
    (tmp_path / "link").symlink_to(folder)
    before = {path.name: path.read_bytes() for path in folder.glob("*.tar")}
    run = Run(str(tmp_path / "link" if place == "link" else folder), str(tmp_path / "data"), "", Config())
    with pytest.raises(ConfigError, match=r"data holds .*s0\.tar, a shard of source"):
        sanitize(run)
    assert {path.name: path.read_bytes() for path in folder.glob("*.tar")} == before
    assert not (tmp_path / "data" / "RUN.json").exists()


@pytest.mark.parametrize("name", ["notes.txt", "shards/s0.tar", "deep/er/x"])
def test_a_sink_that_holds_other_files_is_refused_before_anything_is_written(source: Path, tmp_path: Path, name: str) -> None:
    """Regression: the run ended well, and `srd verify` called its sink altered."""
    file = tmp_path / "sink" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    run = Run(str(source), str(tmp_path / "sink"), "", Config())
    with pytest.raises(ClaimedError, match=rf"sink holds '{name}', and no RUN\.json: a run has its sink to itself\. Choose another sink"):
        sanitize(run)
    assert [path for path in (tmp_path / "sink").rglob("*") if path.is_file()] == [file] and file.read_text() == "mine"


def test_harmless_files_and_work_kept_in_the_sink_keep_no_run_out(source: Path, tmp_path: Path) -> None:
    sink = tmp_path / "sink"
    sink.mkdir()
    (sink / ".gitkeep").touch()
    config = Config(work=str(sink / "stages"))
    sanitize(Run(str(source), str(tmp_path / "first"), "", config))  # which leaves its work in the other's sink
    made = sanitize(Run(str(source), str(sink), "", config))
    assert check(str(sink)) == []
    (sink / "notes.txt").touch()
    assert sanitize(Run(str(source), str(sink), "", config)) == made and made.pairs > 0
    assert (sink / "MANIFEST.json").exists() and (sink / ".gitkeep").exists()


@pytest.mark.parametrize("work", ["sink/work", "sink", "sink/.work", "sink/stages/../work", "link/work"])
def test_work_among_what_is_handed_back_is_refused(source: Path, tmp_path: Path, work: str) -> None:
    """Regression: the run ended well, and verify called its own work an alteration."""
    (tmp_path / "link").symlink_to(tmp_path / "sink")
    with pytest.raises(ConfigError, match="lies in the sink among what is handed back"):
        sanitize(Run(str(source), str(tmp_path / "sink"), "", Config(work=str(tmp_path / work))))
    assert not (tmp_path / "sink" / "RUN.json").exists()


@pytest.mark.parametrize("work", ["first/shards", "first", "first/more/below", "link", "second/stages"])
def test_work_among_what_another_run_hands_back_is_refused(source: Path, tmp_path: Path, work: str) -> None:
    """Regression: the run ended well, and verify called the other one's sink altered."""
    first = tmp_path / "first"
    sanitize(Run(str(source), str(first), "", Config()))
    (tmp_path / "link").symlink_to(first / "shards")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "stages").symlink_to(first)
    run = Run(str(source), str(tmp_path / "second"), "", Config(work="" if work == "second/stages" else str(tmp_path / work)))
    with pytest.raises(ConfigError, match=rf"work is {tmp_path / work}, which lies in {first} among what another run hands back"):
        sanitize(run)
    assert not (tmp_path / "second" / "RUN.json").exists() and check(str(first)) == []


def test_what_another_run_has_computed_may_be_used(source: Path, tmp_path: Path) -> None:
    """As the message to a run that finds another's claim says."""
    sanitize(Run(str(source), str(tmp_path / "first"), "", Config()))
    sanitize(Run(str(source), str(tmp_path / "second"), "", Config(seed=1, work=str(tmp_path / "first" / "stages"))))
    assert check(str(tmp_path / "first")) == check(str(tmp_path / "second")) == []


def test_a_sink_in_the_folder_of_the_work_holds_no_other_files_either(source: Path, tmp_path: Path) -> None:
    (tmp_path / "sink").mkdir()
    (tmp_path / "sink" / "notes.txt").touch()
    with pytest.raises(ClaimedError, match=r"sink holds 'notes\.txt'"):
        sanitize(Run(str(source), str(tmp_path / "sink"), "", Config(work=str(tmp_path))))


@pytest.mark.parametrize("name", [".gitkeep", ".keep", "shards/.keep"])
def test_what_keeps_a_folder_is_no_alteration_of_a_result(source: Path, tmp_path: Path, name: str) -> None:
    """Regression: a run took the folder, and verify then called .gitkeep an alteration."""
    sink = tmp_path / "sink"
    (sink / name).parent.mkdir(parents=True)
    (sink / name).touch()
    sanitize(Run(str(source), str(sink), "", Config()))
    (sink / "shards" / ".DS_Store").touch()
    assert check(str(sink)) == []
    (sink / ".more").touch()
    assert check(str(sink)) == [".more is in the sink, but not in the manifest"]


@pytest.mark.parametrize("name", [".more", "shards/.x.tar", "shards/._s0.tar", ".keep/s0.tar", ".stages/x"])
def test_what_is_hidden_is_a_stranger_before_and_after(source: Path, tmp_path: Path, name: str) -> None:
    """Regression: a run took a sink with any hidden file in it, which verify then held against it."""
    for sink in (tmp_path / "before", tmp_path / "after"):
        if sink.name == "after":
            sanitize(Run(str(source), str(sink), "", Config()))
        (sink / name).parent.mkdir(parents=True, exist_ok=True)
        (sink / name).touch()
    with pytest.raises(ClaimedError, match="a run has its sink to itself"):
        sanitize(Run(str(source), str(tmp_path / "before"), "", Config()))
    assert check(str(tmp_path / "after")) == [f"{name} is in the sink, but not in the manifest"]


def test_stages_may_be_a_link_to_elsewhere(source: Path, tmp_path: Path) -> None:
    for folder in ("sink", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sink" / "stages").symlink_to(tmp_path / "elsewhere")
    sanitize(Run(str(source), str(tmp_path / "sink"), "", Config()))
    assert check(str(tmp_path / "sink")) == [] and any((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("below", ["more", "shards/cleansed", "stages/a/b"])
def test_a_sink_in_another_runs_sink_is_refused(source: Path, tmp_path: Path, below: str) -> None:
    """Regression: it was taken, and verify then held all of it against the other run."""
    sanitize(Run(str(source), str(tmp_path / "sink"), "", Config()))
    with pytest.raises(ClaimedError, match=rf"sink/{below} lies in {tmp_path}/sink, which is another run's sink"):
        sanitize(Run(str(source), str(tmp_path / "sink" / below), "", Config()))
    (tmp_path / "link").symlink_to(tmp_path / "sink" / "shards")
    with pytest.raises(ClaimedError, match="another run's sink"):
        sanitize(Run(str(source), str(tmp_path / "link" / below), "", Config()))
    assert check(str(tmp_path / "sink")) == []


def test_a_sink_beside_another_runs_is_fine_however_it_is_written(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: `../sink` was taken to lie in the working folder."""
    sanitize(Run(str(source), str(tmp_path / "first"), "", Config()))
    monkeypatch.chdir(tmp_path / "first")
    sanitize(Run(str(source), "../second", "", Config()))
    assert check(str(tmp_path / "second")) == check(str(tmp_path / "first")) == []


@pytest.mark.parametrize("content", ["[]", "{", '{"jobs": 3}'])
def test_a_file_called_run_json_does_not_make_a_sink(source: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "RUN.json").write_text(content)
    sanitize(Run(str(source), str(tmp_path / "sink"), "", Config()))
    assert check(str(tmp_path / "sink")) == [] and (tmp_path / "RUN.json").read_text() == content


def test_a_sink_below_its_source_is_fine(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "data")
    sanitize(Run(str(tmp_path / "data"), str(tmp_path / "data" / "cleansed"), "", Config()))
    assert check(str(tmp_path / "data" / "cleansed")) == []


def test_an_object_store_is_no_exception(source: Path, remote: str) -> None:
    storage = open_storage(f"{remote}-twice/shards")
    storage.put_file("s0.tar", source / "s0.tar")
    for sink in (f"{remote}-twice", "s3://stages"):
        with pytest.raises(ConfigError, match=rf"{sink} holds {remote}-twice/shards/s0\.tar, a shard of source"):
            sanitize(Run(f"{remote}-twice/shards", sink, "", Config()))
    sanitize(Run(f"{remote}-twice/shards", f"{remote}-twice/shar", "", Config()))
    with pytest.raises(ClaimedError, match=rf"lies in {remote}-twice/shar, which is another run's sink"):
        sanitize(Run(f"{remote}-twice/shards", f"{remote}-twice/shar/a/b", "", Config()))
    open_storage(f"{remote}-mine").put_bytes("notes.txt", b"mine")
    with pytest.raises(ClaimedError, match=rf"{remote}-mine holds 'notes\.txt'"):
        sanitize(Run(f"{remote}-twice/shards", f"{remote}-mine", "", Config()))


def test_what_differs_is_told_whole(source: Path, tmp_path: Path) -> None:
    sink, tests = str(tmp_path / "sink"), {f"domain-{number}": "x" * 200 for number in range(2)}
    sanitize(Run(str(source), sink, "", Config()))
    with pytest.raises(ConflictError) as raised:
        sanitize(Run(str(source), sink, "", Config(evaluation={"tests": tests, "target": "y" * 200})))  # type: ignore[arg-type]
    told = raised.value.message
    assert told.count("(") == told.count(")") == 3 and told.endswith(" here)") and "'banana' there, 'yyy" in told
