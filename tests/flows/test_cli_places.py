"""Places that cannot be used are told of at once, in one line: no permission, no room, odd names, options that are given and empty."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.plan_files import load_size
from srd_core.experiments.shards import ShardExperiment

ODD = os.fsdecode(b"odd\xff")


def failure(*arguments: str) -> str:
    """The one line on stderr of a command that fails as it should, before it does anything."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == "" and "Traceback" not in result.stderr and "internal" not in result.stderr
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("error: "))
    return line


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever takes time is an error."""

    def started(*_: object, **__: object) -> None:
        raise AssertionError("the work was started")

    for command in ("cleanse", "bench"):
        monkeypatch.setattr(f"flows.cli.{command}.run_flow", started)
    for command in ("train", "poison", "demo", "inspect", "sanitize"):
        monkeypatch.setattr(f"flows.cli.{command}.watching", started)


def refusing(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int = errno.EACCES) -> None:
    """Have the system refuse what would be written to `folder`: tests are often run by root, whom nothing is forbidden."""
    made = os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if Path(os.fsdecode(path)) in (folder, *(folder / Path(os.fsdecode(path)).name,)) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(number, os.strerror(number), path)
        return made(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", opened)


WRITING = (
    ["train", "SOURCE", "FOLDER/x", "--profile", "test"],
    ["poison", "SOURCE", "FOLDER/x"],
    ["demo", "--out", "FOLDER/x", "--profile", "test"],
    ["bench", "smoke", "--out", "FOLDER/x"],
    ["cleanse", "SOURCE", "FOLDER/x", "--trusted", "TRUSTED", "--profile", "test"],
    ["cleanse", "SOURCE", "elsewhere", "--trusted", "TRUSTED", "--profile", "test", "--set", "work=FOLDER/x"],
    ["sanitize", "SOURCE", "FOLDER/x"],
    ["inspect", "SOURCE", "--sarif", "FOLDER/x"],
    ["decisions", "FOLDER", "--out", "FOLDER/x.csv"],
)


def on(data: Any, command: list[str], place: str, folder: str) -> list[str]:
    """The command with these data, writing to `place`; `folder` where it only names one."""
    names = {"SOURCE": data.source, "TRUSTED": data.trusted, "FOLDER/x": place, "FOLDER": folder}
    for name, meant in names.items():
        command = [part.replace(name, meant) for part in command]
    return command


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_where_nothing_can_be_written_no_work_is_begun(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: None, command: list[str], number: int
) -> None:
    """Regression: an internal error, for some after the work."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed").mkdir()
    refusing(monkeypatch, tmp_path / "closed", number)
    line = failure(*on(data, command, str(tmp_path / "closed" / "x"), str(tmp_path / "closed")))
    assert f"error: {tmp_path / 'closed' / 'x'}" in line and f": {os.strerror(number)}. " in line
    assert list(tmp_path.rglob("*")) == [tmp_path / "closed"]


@pytest.mark.parametrize("name", ["file/x", "n" * 300], ids=["below a file", "too long"])
@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_a_place_that_cannot_be_made(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: None, command: list[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert f"{tmp_path / name}" in failure(*on(data, command, str(tmp_path / name), "."))


def test_the_list_beside_a_poisoned_copy_needs_a_place_too(data: Any, tmp_path: Path, idle: None) -> None:
    sink = tmp_path / ("n" * 250)
    assert f"{sink}.poisoned.json: File name too long" in failure("poison", data.source, str(sink))


def test_a_folder_in_the_place_of_that_list(data: Any, tmp_path: Path, idle: None) -> None:
    """Regression: found after the work, about the copy beside it; and then the copy was in the way of a second start."""
    (tmp_path / "q.poisoned.json").mkdir()
    assert f"{tmp_path / 'q.poisoned.json'}: Is a directory" in failure("poison", data.source, str(tmp_path / "q"))
    assert not (tmp_path / "q").exists()


def test_a_folder_for_a_poisoned_copy_that_is_a_circle_of_links(data: Any, tmp_path: Path, idle: None) -> None:
    """Regression: an internal error."""
    (tmp_path / "loop").symlink_to("loop")
    assert f"{tmp_path / 'loop'}: Too many levels of symbolic links" in failure("poison", data.source, str(tmp_path / "loop"))


@pytest.mark.parametrize("command", [["inspect", "SOURCE", "--sarif"], ["decisions", "SOURCE", "--out"]], ids=" ".join)
def test_a_link_into_a_folder_that_is_not_there(data: Any, tmp_path: Path, idle: None, command: list[str]) -> None:
    """Regression: refused when everything had been read."""
    (tmp_path / "latest.csv").symlink_to("gone/today.csv")
    line = failure(*on(data, command, "", ""), str(tmp_path / "latest.csv"))
    assert f"{tmp_path / 'latest.csv'} cannot be written: there is no folder {tmp_path / 'gone'}. Make it" in line


def test_findings_can_be_piped(data: Any) -> None:
    """Regression: refused, for /dev/stdout then leads to a path that does not exist."""
    code = f"from flows.cli import main; import sys; sys.argv = ['srd', 'inspect', {data.source!r}, '--sarif', '/dev/stdout']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.JSONDecoder().raw_decode(done.stdout)[0]["version"] == "2.1.0"


def limited(limit: int, *arguments: str) -> str:
    """stderr of a command that may write files of up to `limit` bytes, and fails on a longer one."""
    code = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); sys.argv = {['srd', *arguments]!r}; "
    done = subprocess.run([sys.executable, "-c", f"{code}from flows.cli import main; main()"], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    return done.stderr


def test_files_that_may_not_grow_that_long_are_named(data: Any, tmp_path: Path) -> None:
    """Regression: internal errors."""
    assert CliRunner().invoke(cli, ["sanitize", data.source, str(tmp_path / "sink")]).exit_code == 0
    told = limited(2048, "decisions", str(tmp_path / "sink"), "--out", str(tmp_path / "q.csv"))
    assert f"error: {tmp_path / 'q.csv'}: File too large. Raise the limit on the size of files (`ulimit -f`), or" in told
    told = limited(2**14, "poison", data.source, str(tmp_path / "copy"))
    assert f"error: {tmp_path / 'copy'}: File too large. Raise the limit" in told
    told = limited(2**14, "sanitize", data.source, str(tmp_path / "other"))
    assert "error: the disk with scratch files (" in told and "or with this command's output: File too large. Raise" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_output_to_a_full_disk_is_not_the_scratch_folders_fault(data: Any) -> None:
    """Regression: only the folder of scratch files was named."""
    code = f"from flows.cli import main; import sys; sys.argv = ['srd', 'inspect', {data.source!r}]; main()"
    with Path("/dev/full").open("w") as full:
        ours = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}  # what is unwritten stays in a buffer
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=ours)
    assert done.returncode == 2 and "or with this command's output: No space left on device. Make room there; TMPDIR" in done.stderr


def test_a_disk_that_fills_up_names_what_was_written(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def full(path: Path, *text: Any, **how: Any) -> int:
        if path.parent == tmp_path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    line = failure("inspect", data.source, "--sarif", str(tmp_path / "x.sarif"))
    assert f"{tmp_path / 'x.sarif'}: No space left on device. Make room there; scratch files are in " in line and "TMPDIR" in line


def test_other_errors_of_the_system_are_not_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    monkeypatch.setattr("flows.cli.config.checked", lost)
    assert isinstance(CliRunner().invoke(cli, ["config"]).exception, ConnectionResetError)


def test_a_folder_that_cannot_be_read_is_not_empty(data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: "no *.tar found at"."""

    def closed(path: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("flows.cli.launch.os.scandir", closed)
    assert f"{data.source}: Permission denied. Check its permissions" in failure("inspect", data.source)


def test_the_home_of_nobody() -> None:
    assert "'~nobody_such/x' begins with a home that is not there. Write ./~nobody_such" in failure("inspect", "~nobody_such/x")


@pytest.mark.parametrize(
    "command",
    [
        ["sanitize", "SOURCE", ODD],
        ["sanitize", ODD, "sink"],
        ["cleanse", "SOURCE", ODD, "--trusted", "SOURCE"],
        ["cleanse", "SOURCE", "sink", "--trusted", ODD],
        ["poison", "SOURCE", ODD],
        ["train", "SOURCE", ODD],
        ["demo", "--out", ODD],
        ["bench", "smoke", "--out", ODD],
        ["bench", "table1", "--size", "photos", "--data", ODD],
    ],
)
def test_a_name_that_no_record_could_hold(
    data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: None, command: list[str]
) -> None:
    """Regression: an internal error when the manifest was written."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(data.source, tmp_path / ODD)
    assert "is not a text in UTF-8" in failure(*[data.source if part == "SOURCE" else part for part in command])


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["config"], "--config"),
        (["config"], "--profile"),
        (["sanitize", "s", "o"], "--config"),
        (["cleanse", "s", "o", "--trusted", "t"], "--config"),
        (["cleanse", "s", "o", "--trusted", "t"], "--attack"),
        (["cleanse", "s", "o", "--trusted", "t"], "--truth"),
        (["evaluate", "m", "t"], "--attack"),
        (["bench", "smoke"], "--size"),
        (["bench", "smoke"], "--seeds"),
        (["bench", "smoke"], "--attacks"),
        (["bench", "smoke"], "--data"),
    ],
)
def test_an_option_that_is_given_and_empty_is_not_left_out(command: list[str], option: str, value: str) -> None:
    """Regression: a variable that was unset ran something else."""
    assert f"error: {option} is empty. " in failure(*command, option, value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "is nested too deeply, or holds itself"),
        ("a: &a {b: *a}", "is nested too deeply, or holds itself"),
        (f"a: {'[' * 500}", "is nested too deeply, or holds itself"),
        ("\n".join(["a: &a [1]", *(f"{x}: &{x} [{', '.join([f'*{y}'] * 9)}]" for y, x in zip("abcdef", "bcdefg", strict=True))]), "nested"),
        ("a: 2001-99-99", "is not YAML: month must be in 1..12"),
    ],
    ids=["list", "mapping", "deep", "large", "date"],
)
def test_a_text_without_end(tmp_path: Path, text: str, said: str) -> None:
    (file := tmp_path / "x.yaml").write_text(text)
    for asked in (["config", "--config"], ["bench", "smoke", "--dry-run", "--size"], ["bench", "--dry-run"]):
        line = failure(*asked, str(file))
        assert str(file) in line and said in line


RECORD = {
    "cell": "x",
    "digest": "d",
    "settings": {"experiment": {"attack": "badnet", "rate": 0.1, "seed": 0}, "variant": "v"},
    "seconds": 1,
    "verdict": {"status": "poisoned"},
    "scores": {"models": [], "detection": {}, "policy": {}},
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("{}", "holds no summaries of cells"),
        ("[]", "holds no summaries of cells"),
        ("[3]", "is damaged: cell 0: "),
        (json.dumps([{**RECORD, "digest": [1]}]), "is damaged: cell 0: digest: "),
        (json.dumps([RECORD, {**RECORD, "settings": {}}]), "is damaged: cell 1: settings.experiment: "),
        (json.dumps([{**RECORD, "verdict": {}}]), "is damaged: cell 0: verdict.status: "),
        (json.dumps([{**RECORD, "scores": {"models": [{}]}}]), "is damaged: cell 0: scores.models.0.arm: "),
    ],
    ids=["empty", "deep", "mapping", "none", "number", "digest", "settings", "verdict", "scores"],
)
def test_a_damaged_file_of_results_is_named(tmp_path: Path, text: str, said: str) -> None:
    """Regression: pages failed on it, after the grid."""
    (file := tmp_path / "k.json").write_text(text)
    line = failure("bench", "smoke", "--dry-run", "--known", str(file))
    assert str(file) in line and said in line


def test_a_whole_file_of_results_is_taken(tmp_path: Path) -> None:
    (file := tmp_path / "k.json").write_text(json.dumps([RECORD]))
    result = CliRunner().invoke(cli, ["bench", "smoke", "--dry-run", "--known", str(file)])
    assert (result.exit_code, "0 of 3 cells are known from elsewhere, of 1" in result.stderr) == (0, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variants: [{name: x, data: {shift: flim}}]", "variant 'x': data.shift: there is no shift 'flim'; choose one of: painting, film"),
        ("variants: [{name: x, data: {test_shifts: [film, flim]}}]", "data.test_shifts: there is no shift 'flim'"),
        ("size: {data: {kind: scenes, shift: flim}}", "size.data.scenes.shift: there is no shift 'flim'"),
        ("size: {seconds: {modle: 3}}", "size.seconds.modle"),
    ],
)
def test_slips_that_a_grid_met_after_hours(tmp_path: Path, text: str, said: str) -> None:
    (plan := tmp_path / "p.yaml").write_text(text)
    assert said in failure("bench", str(plan), "--dry-run")


def test_signs_of_a_glob_in_the_name_of_the_data(data: Any, tmp_path: Path) -> None:
    """Regression: "no *.tar found at" a folder that holds them."""
    home = tmp_path / "a[1]*?"
    shutil.copytree(data.source, home / "suspect")
    size = tmp_path / "s.yaml"
    size.write_text('data: {kind: shards, trusted: "{data}/suspect", suspect: "{data}/suspect/*.tar", tests: {a: "{data}/suspect"}}')
    made = load_size(str(size), str(home)).data
    assert isinstance(made, ShardExperiment)
    assert made.content.keys() == {"trusted", "suspect", "test:a"}
    assert CliRunner().invoke(cli, ["bench", "smoke", "--dry-run", "--size", str(size), "--data", str(home)]).exit_code == 0
