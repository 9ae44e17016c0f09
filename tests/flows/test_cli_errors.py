"""What goes wrong at the command line is one line with a way out, and an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from flows.cli import cli
from flows.cli.group import _COMMANDS


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
    assert "workers = 0" in failure("config", "--set", "workers=0")


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
    assert "holds no captioner" in failure("evaluate", str(tmp_path), data.source)


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
    assert srd("config").exit_code == 130


def test_config_prints_what_config_takes(tmp_path: Path) -> None:
    printed = srd("config", "--profile", "test", "--set", "seed=5").stdout
    (tmp_path / "c.yaml").write_text(printed)
    assert srd("config", "--config", str(tmp_path / "c.yaml")).stdout == printed
    assert yaml.safe_load(printed)["seed"] == 5


def test_poison_says_what_it_did(data: Any, tmp_path: Path) -> None:
    result = srd("poison", data.source, str(tmp_path / "p"), "--rate", "0.2", "--json")
    made = json.loads(result.stdout)
    assert (made["pairs"], made["poisoned"]) == (100, 20)
    assert len(json.loads(Path(made["truth"]).read_text())["poisoned"]) == 20


def test_a_model_is_trained_and_then_scored(data: Any, tmp_path: Path) -> None:
    trained = srd("train", data.trusted, str(tmp_path / "model"), "--profile", "test")
    assert trained.exit_code == 0 and (tmp_path / "model" / "model.safetensors").exists(), trained.output
    again = srd("train", data.source, str(tmp_path / "again"), "--profile", "test", "--init", str(tmp_path / "model"))
    assert again.exit_code == 0 and "100 pairs" in again.stdout
    scored = srd("evaluate", str(tmp_path / "again"), data.source, "--profile", "test", "--attack", "badnet", "--json")
    assert json.loads(scored.stdout).keys() == {"images", "bleu_4", "cider", "asr", "false_trigger"}


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
