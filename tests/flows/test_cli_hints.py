"""Slips at the command line are told with the way out: close names, what a section holds, quotes around a glob."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli import cli


def stderr(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["config", "--set", "clense.mode=srd"], "unknown key 'clense'. Did you mean cleanse or cleanse.mode? `srd config` prints"),
        (["config", "--set", "mode=srd"], "Did you mean cleanse.mode?"),
        (["config", "--set", "evaluation.atack=badnet"], "Did you mean evaluation.attack, "),
        (["config", "--set", "retrain.epochs=3"], "retrain.schedule.epochs"),
        (["config", "--set", "xqzv=3"], "unknown key 'xqzv'. `srd config` prints"),
        (["config", "--profile", "sceens"], "unknown profile 'sceens'. Did you mean scenes? Choose one of: paper,"),
        (["bench", "tabel1"], "there is no plan 'tabel1'. Did you mean table1, table2 or table3? Give a YAML file"),
        (["bench", "table1", "--size", "photo", "--dry-run"], "there is no size 'photo'. Did you mean photos?"),
        (["demo", "--attack", "badnett"], "unknown attack 'badnett'. Did you mean badnet"),
    ],
)
def test_close_names_are_offered(arguments: list[str], said: str) -> None:
    """Regression: a slip in a key pointed to the whole configuration only."""
    assert said in stderr(*arguments)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cleanse=evidence", "cleanse = 'evidence': cleanse is a section, not a key. In it are cleanse.mode, cleanse.quality, "),
        ("base.schedule=3", "base.schedule is a section, not a key. In it are base.schedule.epochs, "),
    ],
)
def test_a_section_that_is_given_a_value_names_its_keys(setting: str, said: str) -> None:
    """Regression: pydantic's "valid dictionary or instance of CleanseConfig"."""
    line = stderr("config", "--set", setting)
    assert said in line and "instance" not in line


@pytest.mark.parametrize(
    "command", ["cleanse GLOB sink --trusted t", "cleanse s sink --trusted GLOB", "sanitize GLOB sink", "poison GLOB sink"]
)
def test_a_glob_without_quotes_is_told_to_have_them(data: Any, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Regression: click alone says "Got unexpected extra arguments"."""
    source = Path(data.source)
    shards = [str(path) for path in sorted(source.glob("*.tar"))]
    monkeypatch.chdir(source.parent)
    arguments = [word for part in command.split() for word in (shards if part == "GLOB" else [part])]
    assert f"Quote a glob, so that it stays one argument: '{source}{os.sep}*.tar'" in stderr(*arguments)


def test_the_glob_that_is_proposed_is_of_the_place_that_was_given() -> None:
    said = stderr("cleanse", "s3://b/p/a.tar", "s3://b/p/b.tar", "s3://b/p/c.tar", "--trusted", "t")
    assert "'s3://b/p/*.tar'" in said
    assert "Quote" not in stderr("cleanse", "suspect.tar", "out", "extra", "--trusted", "clean.tar")


def test_other_arguments_too_many_are_no_glob() -> None:
    assert "Quote" not in stderr("cleanse", "a.tar", "sink", "more", "--trusted", "t")


def test_a_missing_option_says_what_it_is_for() -> None:
    """Regression: it only said that the option is missing."""
    assert "Missing option '--trusted'. Shards of a few thousand pairs that you vouch for" in stderr("cleanse", "s", "o")


def test_an_unset_variable_is_no_place(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: an empty SINK wrote to the working folder and to /stages, an empty trusted set was the working folder."""
    monkeypatch.chdir(tmp_path)
    for command in (["sanitize", data.source, ""], ["cleanse", data.source, "", "--trusted", data.trusted], ["verify", ""]):
        assert "a place has no name" in stderr(*command)
    assert "a place has no name" in stderr("cleanse", data.source, "out", "--trusted", "")
    assert list(tmp_path.iterdir()) == []


def test_every_setting_is_explained() -> None:
    """Regression: of 177 keys 67 were printed without a word, all limits among them."""
    lines = CliRunner().invoke(cli, ["config"]).stdout.splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r" *[a-z_0-9]+:", line)]
    assert len(keys) > 150
    assert [lines[number] for number in keys if not re.match(r" *# \S", lines[number - 1])] == []
