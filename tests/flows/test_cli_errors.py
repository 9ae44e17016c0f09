"""What goes wrong at the command line is one line with a way out, and an exit code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from flows.cli import cli
from flows.cli.group import _COMMANDS
from flows.settings import configured_server, prefect_server
from srd_core.errors import ConfigError
from srd_core.experiments.planted import ExperimentData


def srd(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def failure(*arguments: str, code: int = 2) -> str:
    """The one line on stderr of a command that fails as it should."""
    result = srd(*arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.stderr
    return lines[0]


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'nowhere'} does not exist" in failure("cleanse", str(tmp_path / "nowhere"), "out", "--trusted", "t")


def test_a_folder_without_shards_says_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.tar").write_bytes(b"")
    assert "Did you mean" in failure("cleanse", str(tmp_path), "out", "--trusted", "t")


def test_the_trusted_set_is_looked_at_before_anything_starts(data: Any, tmp_path: Path) -> None:
    source = data.source
    assert str(tmp_path / "t") in failure("cleanse", source, str(tmp_path / "out"), "--trusted", str(tmp_path / "t"))
    assert not (tmp_path / "out").exists()


def test_an_unknown_profile_lists_the_known_ones() -> None:
    assert "scenes" in failure("config", "--profile", "nope")


def test_an_unknown_key_is_named() -> None:
    assert "'retrain.epoch'" in failure("config", "--set", "retrain.epoch=1")


def test_a_bad_value_is_named_with_its_key() -> None:
    assert "workers = -1" in failure("config", "--set", "workers=-1")


def test_set_needs_an_equals_sign() -> None:
    assert "is not key=value" in failure("config", "--set", "workers")


def test_set_below_a_plain_value() -> None:
    assert "below a plain value" in failure("config", "--set", "seed=1", "--set", "seed.x=1")


def test_profile_and_file_together() -> None:
    assert "both given" in failure("config", "--profile", "test", "--config", "x.yaml")


def test_a_configuration_that_is_not_yaml(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("a: [")
    assert "is not YAML" in failure("config", "--config", str(tmp_path / "c.yaml"))


@pytest.mark.parametrize("text", ["coco", "=uri", "co.co=uri", "coco="])
def test_a_test_domain_needs_name_and_place(text: str) -> None:
    assert "DOMAIN=URI" in failure("cleanse", "s", "o", "--trusted", "t", "--test", text)


def test_a_strange_scheme() -> None:
    assert "gs://" in failure("verify", "gs://bucket/x")


def test_a_sink_without_manifest(tmp_path: Path) -> None:
    assert "MANIFEST.json" in failure("verify", str(tmp_path))


def test_an_unknown_attack(data: Any, tmp_path: Path) -> None:
    assert "badnet" in failure("poison", data.source, str(tmp_path / "p"), "--attack", "nope")


def test_a_rate_above_one(data: Any, tmp_path: Path) -> None:
    assert "between 0 and 1" in failure("poison", data.source, str(tmp_path / "p"), "--rate", "7")


def test_a_folder_that_holds_no_model(data: Any, tmp_path: Path) -> None:
    assert "there is no captioner at" in failure("evaluate", str(tmp_path), data.source)


def started(*_: object, **__: object) -> None:
    raise AssertionError("Prefect was started")


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (["--attack", "nope"], "unknown attack 'nope'"),
        (["--attack", "shadowcast-clean", "--target", "banana"], "cannot plant 'banana'"),
        (
            ["--set", "evidence.channels=[nll_maxx]"],
            "unknown evidence channel 'nll_maxx'. Did you mean nll_max or nll_mean? Choose one of: infidelity, nll_max",
        ),
        (["--truth", "nowhere.json"], "there is no list of poisoned pairs at nowhere.json"),
        (["--truth", "odd.json"], "odd.json is not a list of poisoned pairs"),
        (["--truth", "gs://bucket/t.json"], "gs://bucket"),
        (["--set", "retrain.arms=[none, abl-oracle]"], "was not told how many"),
        (["--set", "cleanse.mode=abl-oracle"], "set oracle.poison_rate"),
        (["--set", "evaluation.attacker=clean"], "no attack is named"),
        (["--set", "evaluation.attacker=clean", "--attack", "badnet"], "with badnet none does"),
    ],
)
def test_what_is_named_is_looked_at_before_prefect_starts(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slip: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.json").write_text('{"poisoned": [{"id": "x"}]}')
    monkeypatch.setattr("flows.cli.cleanse.run_flow", started)
    assert said in failure("cleanse", data.source, "out", "--trusted", data.trusted, *slip)
    assert not (tmp_path / "out").exists()


def test_a_demo_tells_its_controls_what_it_plants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: it was looked for before anything was planted."""
    asked: list[str] = []
    data = ExperimentData("source", "trusted", {}, tmp_path / "truth", "vlood", "banana", attacker="clean", rate=0.1)
    monkeypatch.setattr("srd_core.experiments.scenes.SceneExperiment.make", lambda self, folder: data)
    monkeypatch.setattr("flows.cli.demo.run_flow", lambda *_, overrides, **__: asked.extend(overrides))
    monkeypatch.setattr("flows.cli.demo.tell", lambda *_, **__: None)
    arms = ["--set", "retrain.arms=[none, covered, abl-oracle]", "--profile", "test"]
    assert srd("demo", "--out", str(tmp_path / "demo"), "--attack", "vlood", *arms).exit_code == 0
    assert "oracle.poison_rate=0.1" in asked


def test_a_sink_that_is_a_file(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.cli.cleanse.run_flow", started)
    (tmp_path / "out").touch()
    assert f"{tmp_path / 'out'} is a file" in failure("cleanse", data.source, str(tmp_path / "out"), "--trusted", data.trusted)
    assert f"{tmp_path / 'out'} is a file" in failure("sanitize", data.source, str(tmp_path / "out"))


@pytest.mark.parametrize("command", ["cleanse gs://b/x out --trusted t", "inspect gs://b/x", "poison gs://b/x p"])
def test_a_storage_that_srd_does_not_know_is_no_missing_folder(command: str) -> None:
    assert "'gs://b/x' is not a storage that can be opened" in failure(*command.split())


@pytest.mark.parametrize(("place", "told"), [("s3://b/x", "s3://b/x is not a folder of this machine"), ("", "a place has no name")])
@pytest.mark.parametrize("command", [["poison", "SOURCE"], ["train", "SOURCE"], ["demo", "--out"], ["bench", "smoke", "--out"]])
def test_an_address_or_nothing_is_not_made_a_folder(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], place: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in failure(*[data.source if part == "SOURCE" else part for part in command], place)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_folder_that_is_not_there(data: Any, tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "x.csv"
    assert f"there is no folder {place.parent}" in failure("decisions", str(tmp_path), "--out", str(place))
    assert f"there is no folder {place.parent}" in failure("inspect", data.source, "--sarif", str(place))
    assert "is a folder" in failure("decisions", str(tmp_path), "--out", str(tmp_path))


def test_a_configuration_that_is_a_folder(tmp_path: Path) -> None:
    assert f"{tmp_path} is a folder" in failure("config", "--config", str(tmp_path))


def test_a_slip_in_the_attack_leaves_the_demo_folder_free(tmp_path: Path) -> None:
    assert "unknown attack 'badnett'" in failure("demo", "--out", str(tmp_path / "d"), "--profile", "test", "--attack", "badnett")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attacks: badnet", "attacks: give a list, such as [badnet]"),
        ("attacks:", "attacks: give a list"),
        ("attacks: []", "attacks: "),
        ("rates: [2.0]", "rates.0: "),
        ("variants: [{name: x, data: {sidee: 3}}]", "variant 'x': data.sidee: unknown key. Keys are attack"),
        ("variants: [{name: x, data: {shifted: 3}}]", "variant 'x': data.shifted: "),
        ("size: {data: {kind: scenes, sidee: 3}}", "size.data.scenes.sidee: unknown key"),
        ("comparison: {columns: [{name: x, arm: foo}], figures: [asr]}", "there is no arm 'foo'"),
        ("comparison: {columns: [{name: x, arm: none, variant: y}], figures: [asr]}", "there is no variant 'y'"),
        ("comparison: {columns: [{name: x, arm: none}], figures: [asrr]}", "there is no figure 'asrr'"),
        ("", "is not a mapping of keys"),
        ("variants: [{name: x, attacks: [badnett]}]", "there is no attack of the plan 'badnett'; choose one of: badnet"),
        ("variants: [{name: My Variant}]", "variants.0.name: 'My Variant' is no such name: give small letters"),
        ('variants: [{name: x, settings: ["retrain.arm=[none]"]}]', "variant 'x': configuration: unknown key 'retrain.arm'"),
        ("charts: [{figures: [asrr]}]", "there is no figure 'asrr'"),
        ("comparison: {columns: [{name: x, arm: abl}], figures: [asr]}", "'x' shows arm 'abl', which variant 'default' does not train"),
    ],
)
def test_slips_in_a_plan_show_in_the_dry_run(tmp_path: Path, text: str, said: str) -> None:
    plan = tmp_path / "p.yaml"
    plan.write_text(text)
    line = failure("bench", str(plan), "--dry-run")
    assert f"plan {plan}: " in line and said in line


def test_a_plan_that_is_not_yaml_is_told_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("attacks: [a\nb: 2")
    assert f"plan {tmp_path / 'p.yaml'} is not YAML: expected" in (line := failure("bench", str(tmp_path / "p.yaml"), "--dry-run"))
    assert ", line 2" in line


def test_where_the_data_of_a_grid_are_not(tmp_path: Path) -> None:
    asked = ["bench", "table1", "--size", "photos", "--dry-run", "--data", str(tmp_path)]
    assert "flickr8k-train" in failure(*asked, "--attacks", "badnet")
    assert "takes no --data" in failure("bench", "table1", "--dry-run", "--data", str(tmp_path))


def test_attacks_that_need_an_encoder_are_refused_where_there_is_none(tmp_path: Path) -> None:
    line = failure("bench", "table1", "--size", "photos", "--dry-run", "--data", str(tmp_path))
    assert "plan table1: shadowcast, vl-trojan: " in line and "data.surrogate" in line


def test_a_file_of_results_that_is_not_there() -> None:
    assert "there is no such file. Give the file that `srd bench` wrote" in failure("bench", "smoke", "--known", "nowhere.json")


def test_a_temporary_server_that_does_not_start_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine so busy that it takes minutes."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "0")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigError, match=r"did not answer within 0 seconds\b.*PREFECT_API_URL"),
        prefect_server(lambda: None),
    ):
        pytest.fail("there is no server")


def test_a_server_that_does_not_answer_is_named() -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://me:secret@127.0.0.1:9/api"}):
        assert configured_server() == "http://127.0.0.1:9/api"
        with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9/api/?\. Start that server, or unset PREFECT_API_URL") as raised:
            prefect_server(lambda: None).__enter__()
        assert "secret" not in str(raised.value)


def test_an_unknown_plan_lists_the_known_ones() -> None:
    assert "smoke" in failure("bench", "nope")


def test_a_plan_with_a_wrong_key(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("atacks: [badnet]")
    assert "atacks" in failure("bench", str(tmp_path / "p.yaml"))


def test_wrong_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "credentials" in failure("cleanse", "s3://bucket/in", "s3://bucket/out", "--trusted", "s3://bucket/t")


def test_a_demo_folder_of_another_attack_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "experiment.json").write_text("{}")
    assert "other settings" in failure("demo", "--out", str(tmp_path), "--profile", "test")


def test_a_missing_argument_is_a_usage_error() -> None:
    result = srd("cleanse", "s", "o")
    assert (result.exit_code, "--trusted" in result.stderr) == (2, True)


def test_verbose_shows_how_it_came_to_that() -> None:
    result = srd("config", "--profile", "nope", "--verbose")
    assert "Traceback" in result.stderr
    assert result.exit_code == 2


def test_interrupting_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.cli.config.checked", interrupted)
    result = srd("config")
    assert (result.exit_code, result.stderr) == (130, "stopped\n")


def test_config_prints_what_config_takes(tmp_path: Path) -> None:
    printed = srd("config", "--profile", "test", "--set", "seed=5").stdout
    (tmp_path / "c.yaml").write_text(printed)
    assert srd("config", "--config", str(tmp_path / "c.yaml")).stdout == printed
    assert yaml.safe_load(printed)["seed"] == 5


def test_config_says_what_keys_mean() -> None:
    lines = srd("config", "--profile", "scenes").stdout.splitlines()
    assert lines[lines.index("workers: 2") - 1] == "# Processes; 0: all in one, for tests and debuggers. Results do not depend on it"
    assert lines[lines.index("  false_positives: 0.005") - 1] == "  # Share of clean pairs that may be flagged"


@pytest.mark.parametrize(
    ("command", "named"), [("demo", "low-frequency"), ("cleanse", "photos"), ("poison", "vl-trojan"), ("bench", "scenes-clean")]
)
def test_help_lists_what_can_be_named(command: str, named: str) -> None:
    assert named in srd(command, "--help").stdout.partition("Names:")[2].replace(",", " ").split()


def test_poison_shows_how_far_it_is(data: Any, tmp_path: Path) -> None:
    lines = srd("poison", data.source, str(tmp_path / "p")).stderr.splitlines()
    assert lines[-1].startswith("done poison (")


def test_verify_as_json(data: Any, tmp_path: Path) -> None:
    sink = tmp_path / "out"
    assert srd("sanitize", data.source, str(sink)).exit_code == 0
    assert json.loads(srd("verify", str(sink), "--json").stdout) == {"sink": str(sink), "problems": []}
    (sink / "shards" / "scenes-00001.tar").unlink()
    result = srd("verify", str(sink), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"] == ["shards/scenes-00001.tar is missing"]
    assert f"Keep a copy of {sink} as evidence; running the same command again overwrites what differs" in result.stderr


def test_shards_that_were_not_read_to_their_end_are_no_pairs(data: Any, tmp_path: Path) -> None:
    """Regression: half a shard lost was “1 refused”."""
    source = tmp_path / "source"
    shutil.copytree(data.source, source)
    first, *_ = sorted(source.glob("*.tar"))
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    (source / "zzz.tar").write_bytes(b"no archive" * 200)
    said = srd("sanitize", str(source), str(tmp_path / "out")).stdout
    pairs, kept = (int(part) for part in re.findall(r"^(\d+) pairs: (\d+) kept", said)[0])
    assert 50 < kept <= pairs <= kept + 1 < 100  # the sample that was cut may be refused
    assert "truncated" not in said.splitlines()[0]
    assert "Shards that were not read to their end: 1 not-tar-shard, 1 truncated-shard; what follows there is not counted" in said


def test_poison_says_what_it_did(data: Any, tmp_path: Path) -> None:
    result = srd("poison", data.source, str(tmp_path / "p"), "--rate", "0.2", "--json")
    made = json.loads(result.stdout)
    assert (made["pairs"], made["poisoned"]) == (100, 20)
    assert len(json.loads(Path(made["truth"]).read_text())["poisoned"]) == 20


def test_a_model_is_trained_and_then_scored(data: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_text("precious")
    assert f"{tmp_path / 'mine'} is not empty" in failure("train", data.trusted, str(tmp_path / "mine"), "--profile", "test")
    trained = srd("train", data.trusted, str(tmp_path / "model"), "--profile", "test")
    assert trained.exit_code == 0 and (tmp_path / "model" / "model.safetensors").exists(), trained.output
    again = srd("train", data.source, str(tmp_path / "again"), "--profile", "test", "--set", "canvas=48", "--init", str(tmp_path / "model"))
    assert again.exit_code == 0 and "100 pairs" in again.stdout
    scored = srd("evaluate", str(tmp_path / "again"), data.source, "--profile", "test", "--attack", "badnet", "--json")
    found = json.loads(scored.stdout)
    assert found.keys() == {"images", "bleu_4", "cider", "asr", "false_trigger"}
    assert all(found[name].keys() >= {"value", "low", "high"} for name in found if name != "images")


def test_what_evaluation_is_told_counts(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("flows.cli.evaluate._scores", lambda model, test, config: asked.append(config.evaluation) or {})
    for more in ([], ["--set", "evaluation.target=kite"], ["--set", "evaluation.target=kite", "--target", "boat"]):
        assert srd("evaluate", str(tmp_path), data.source, "--profile", "test", *more).exit_code == 0
    assert [evaluation.target for evaluation in asked] == ["banana", "kite", "boat"]


def test_what_must_be_a_bug_has_an_exit_code_of_its_own() -> None:
    code = "import sys; from flows.cli.group import report_unexpected; sys.excepthook = report_unexpected; raise ValueError('odd')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert done.stderr.startswith("error: internal error: ValueError: odd") and "Traceback" not in done.stderr


def test_help_names_every_command() -> None:
    text = srd("--help").stdout
    assert all(f"\n  {name} " in text for name in _COMMANDS)
