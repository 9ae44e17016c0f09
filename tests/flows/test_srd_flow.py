"""A whole run, small: what it leaves, that it continues where it was, and that workers make no difference."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.models import arms_of, learns_policy, models_of
from flows.srd import cleanse, judge, learn_defence, retrain, srd
from srd_core.config import load_config
from srd_core.data.manifest import StageManifest
from srd_core.errors import ConfigError, SourceError, SrdError
from srd_core.stages.stage import Run
from srd_core.stages.verification import check
from tasks import pipeline

PATTERNS = ("shards/*", "quarantine/*", "decisions/*", "model/*")


@pytest.fixture(scope="session")
def finished(data: Any, prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The sink of a finished run, and what the flow returned."""
    sink = tmp_path_factory.mktemp("run") / "sink"
    return sink, srd(data.source, str(sink), data.trusted, profile="test", overrides=["workers=0"])


def contents(sink: Path) -> dict[str, bytes]:
    return {str(path.relative_to(sink)): path.read_bytes() for pattern in PATTERNS for path in sorted(sink.glob(pattern))}


def test_a_run_returns_its_verdict(finished: tuple[Path, dict[str, Any]]) -> None:
    sink, verdict = finished
    assert verdict == json.loads((sink / "verdict.json").read_text())
    assert len(verdict["lines"]) == 5


def test_a_run_leaves_what_is_promised(finished: tuple[Path, dict[str, Any]]) -> None:
    sink, _ = finished
    names = {path.name for path in sink.iterdir()}
    assert {"shards", "decisions", "model", "scores.json", "verdict.json", "report.html", "MANIFEST.json"} <= names
    assert [path.name for path in sorted((sink / "shards").iterdir())] == ["scenes-00000.tar", "scenes-00001.tar"]


def test_a_word_that_an_attack_cannot_plant_is_refused_at_once(data: Any, prefect_server: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot plant 'banana'"):
        srd(data.source, str(tmp_path / "sink"), data.trusted, profile="test", overrides=["evaluation.attack=shadowcast-clean"])
    assert not (tmp_path / "sink").exists()


@pytest.mark.parametrize("slip", ["evidence.channels=[nll_maxx]", "evaluation.attack=nope", "evaluation.truth=nowhere.json"])
def test_what_is_named_and_is_not_there_is_refused_at_once(data: Any, prefect_server: None, tmp_path: Path, slip: str) -> None:
    with pytest.raises(SrdError, match=r"nll_maxx|nope|nowhere\.json"):
        srd(data.source, str(tmp_path / "sink"), data.trusted, profile="test", overrides=[slip])
    assert not (tmp_path / "sink").exists()


def test_every_pair_is_decided_on_once(finished: tuple[Path, dict[str, Any]]) -> None:
    sink, verdict = finished
    pairs = [pair for path in sorted((sink / "decisions").iterdir()) for pair in pq.read_table(path)["pair"].to_pylist()]
    assert len(pairs) == len(set(pairs)) == 100 == verdict["figures"]["pairs"]


def test_the_manifest_covers_all_outputs(finished: tuple[Path, dict[str, Any]]) -> None:
    sink, _ = finished
    named = {subject["name"] for subject in json.loads((sink / "MANIFEST.json").read_text())["subject"]}
    assert set(contents(sink)) <= named
    assert check(str(sink)) == []


def test_verify_names_what_was_altered(data: Any, finished: tuple[Path, dict[str, Any]]) -> None:
    sink, _ = finished
    runner = CliRunner()
    assert runner.invoke(cli, ["verify", str(sink)]).exit_code == 0
    shard = sink / "shards" / "scenes-00001.tar"
    before = shard.read_bytes()
    shard.write_bytes(before[:-1] + b"x")
    try:
        result = runner.invoke(cli, ["verify", str(sink)])
    finally:
        shard.write_bytes(before)
    assert (result.exit_code, "shards/scenes-00001.tar" in result.stdout) == (1, True)


def test_a_second_run_repeats_nothing(data: Any, finished: tuple[Path, dict[str, Any]]) -> None:
    sink, verdict = finished
    records = {path: path.stat().st_mtime_ns for path in sink.glob("stages/*/*.json")}
    assert srd(data.source, str(sink), data.trusted, profile="test", overrides=["workers=0"]) == verdict
    assert {path: path.stat().st_mtime_ns for path in sink.glob("stages/*/*.json")} == records


def test_a_deleted_shard_is_written_again(data: Any, finished: tuple[Path, dict[str, Any]]) -> None:
    sink, _ = finished
    before = contents(sink)
    (sink / "shards" / "scenes-00000.tar").unlink()
    srd(data.source, str(sink), data.trusted, profile="test", overrides=["workers=0"])
    assert contents(sink) == before


def test_a_source_without_shards_is_told_as_such(data: Any, prefect_server: None, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        srd(str(tmp_path / "none"), str(tmp_path / "sink"), data.trusted, profile="test")


def test_an_error_in_a_stage_comes_out_as_itself(data: Any, prefect_server: None, tmp_path: Path) -> None:
    overrides = ["workers=0", f"base.path={tmp_path}"]
    with pytest.raises(ConfigError, match=f"there is no captioner at {tmp_path}"):  # as the user named it
        srd(data.source, str(tmp_path / "sink"), data.trusted, profile="test", overrides=overrides)
    assert not (tmp_path / "sink" / "MANIFEST.json").exists()


@pytest.mark.slow
def test_processes_make_the_same_bytes(data: Any, finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    sink, _ = finished
    srd(data.source, str(tmp_path / "sink"), data.trusted, profile="test", overrides=["workers=2"])
    assert contents(tmp_path / "sink") == contents(sink)


@pytest.mark.slow
def test_a_failure_in_a_process_is_told_at_once_and_as_itself(data: Any, prefect_server: None, tmp_path: Path) -> None:
    overrides = ["workers=2", f"base.path={tmp_path}"]
    started = time.monotonic()
    with pytest.raises(Exception, match="there is no captioner at"):
        srd(data.source, str(tmp_path / "sink"), data.trusted, profile="test", overrides=overrides)
    assert time.monotonic() - started < 60


def run_of(*settings: str) -> Run:
    return Run("s", "o", "t", load_config("test", None, settings))


def test_p2_starts_from_the_model_of_the_data_as_it_came() -> None:
    run = run_of("retrain.arms=[srd]", "retrain.protocols=[p1, p2]", "cleanse.mode=srd")
    assert models_of(run.config) == [("none", "p1"), ("srd", "p1"), ("srd", "p2")]


def test_the_arm_that_is_handed_back_is_always_trained() -> None:
    run = run_of("retrain.arms=[none]", "retrain.protocols=[p1]", "cleanse.mode=evidence")
    assert arms_of(run.config) == ["none", "evidence"]
    assert ("evidence", "p1") in models_of(run.config)


def test_no_arm_is_done_twice() -> None:
    run = run_of("retrain.arms=[evidence, none, random]", "retrain.protocols=[p1, p2]", "cleanse.mode=evidence")
    assert sorted(arms_of(run.config)) == ["evidence", "none", "random"]


def test_training_on_trusted_pairs_afterwards_starts_from_the_backdoored_model() -> None:
    line = Recorder(run_of("retrain.arms=[finetune]", "retrain.protocols=[p1]", "cleanse.mode=evidence"))
    retrain(line, "base", {"none": ["a"], "finetune": ["a"], "evidence": ["b"]}, TRUSTED, None)  # type: ignore[arg-type]
    assert sorted(line.asked) == ["model-evidence-p1", "model-finetune-p2", "model-none-p1"]
    assert line.asked["model-finetune-p2"][1] == {"start": "model-none-p1", "trusted": TRUSTED}


def test_no_policy_is_learned_for_nothing(data: Any, prefect_server: None, tmp_path: Path) -> None:
    sink, overrides = tmp_path / "sink", ["workers=0", "bounds=0", "retrain.arms=[none, nll]", "retrain.protocols=[p1]", "cleanse.mode=nll"]
    verdict = srd(data.source, str(sink), data.trusted, profile="test", overrides=[*overrides, "evaluation.attack=badnet"])
    made = {path.name for path in (sink / "stages").iterdir()}
    assert {"screen", "retrain", "score", "attention"} <= made and not {"synthesize", "spar", "learn", "calibrate", "probe"} & made
    assert verdict["status"] == "not judged" and check(str(sink)) == []
    assert "so none was learned" in (sink / "report.html").read_text()


def test_evidence_without_a_channel_that_asks_a_policy_learns_none(data: Any, prefect_server: None, tmp_path: Path) -> None:
    """Regression: a sparring victim and a policy were made, the longest part of a run, and asked by nobody."""
    sink, overrides = tmp_path / "sink", ["workers=0", "bounds=0", "retrain.arms=[none]", "retrain.protocols=[p1]"]
    verdict = srd(data.source, str(sink), data.trusted, profile="test", overrides=[*overrides, "evidence.channels=[nll_max, infidelity]"])
    made = {path.name for path in (sink / "stages").iterdir()}
    assert {"calibrate", "weigh", "cleanse-evidence"} <= made and not {"synthesize", "spar", "learn"} & made
    assert verdict["status"] != "not judged" and check(str(sink)) == []


def test_masks_alone_need_a_policy_and_no_thresholds() -> None:
    line = Recorder(run_of("retrain.arms=[none, srd]", "retrain.protocols=[p1]", "cleanse.mode=srd"))
    witnesses, _ = learn_defence(line, TRUSTED)  # type: ignore[arg-type]
    assert "policy" in witnesses and "calibration" not in witnesses
    assert learns_policy(run_of("retrain.arms=[none]", "cleanse.mode=none", "bounds=2").config)
    assert learns_policy(run_of("retrain.arms=[none, collision-srd]", "cleanse.mode=none").config)


@pytest.mark.parametrize("second_look", [True, False])
def test_pictures_are_looked_at_only_where_a_second_look_is_asked_for(second_look: bool) -> None:
    line = Recorder(run_of(f"evidence.second_look={second_look}"))
    inventory = {"source": "s", "shards": [{"uri": "s", "key": "a.tar", "size": 1, "etag": "e"}]}
    suspect = StageManifest(stage="inventory", key="s", facts={"inventory": inventory})
    witnesses = {name: name for name in ("base", "reference", "fluency", "policy", "calibration")}
    said = judge(line, "evidence", suspect, TRUSTED, witnesses)  # type: ignore[arg-type]
    cleanse(line, "evidence", suspect, witnesses | said)  # type: ignore[arg-type]
    needed = {"source", "weighed", "consensus"} | ({"pictures"} if second_look else set())
    assert ("pictures" in line.asked) == second_look and line.asked["cleansed-evidence-0"][1].keys() == needed


TRUSTED = StageManifest(stage="inventory", key="t", facts={})


class Recorder:
    """A line that only writes down what it is asked for."""

    def __init__(self, run: Run) -> None:
        self.run, self.asked, self.after = run, {}, {}

    def submit(self, name: str, task: Any, details: Any = None, after: Any = (), /, **inputs: Any) -> str:
        self.asked[name], self.after[name] = (task, inputs), list(after)
        return name


def test_only_what_is_masked_waits_until_all_pairs_are_weighed() -> None:
    line = Recorder(run_of("retrain.arms=[none, srd, evidence]", "retrain.protocols=[p1]"))
    retrain(line, "base", {"none": ["a"], "srd": ["b"], "evidence": ["c"]}, TRUSTED, None, ["weighed"])  # type: ignore[arg-type, list-item]
    assert line.after == {"model-none-p1": [], "model-srd-p1": ["weighed"], "model-evidence-p1": []}


def test_where_the_attacker_trains_p2_starts_from_his_model() -> None:
    line = Recorder(run_of("retrain.arms=[none, srd]", "retrain.protocols=[p1, p2]", "cleanse.mode=srd"))
    attacker = StageManifest(stage="inventory", key="", facts={})
    retrain(line, "base", {"none": ["a"], "srd": ["b"]}, TRUSTED, attacker)  # type: ignore[arg-type]
    task, inputs = line.asked["model-none-p1"]
    assert task is pipeline.backdoor and inputs == {"start": "base", "attacker": attacker}
    assert line.asked["model-srd-p2"][1]["start"] == "model-none-p1"
    assert line.asked["model-srd-p1"][1]["start"] == "base"
