"""SRD started in the folder that a stranger's data were unpacked to: what lies beside the shards is neither run nor obeyed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import cli
from flows.folder import no_settings_in
from srd_core.errors import ConfigError
from tests.hostile.tars import END, good

ROOT = Path(__file__).parents[2]
MODULES = ("multiprocessing", "asyncio", "logging", "numpy", "PIL", "srd_core", "prefect", "uvicorn", "torch", "pyarrow")
"""What SRD, its processes and Prefect's server import first, of the standard library and of others."""

INSPECT = "from flows.cli import main\nmain()"
WORK = """
from flows.settings import prefect_server, quiet

def half(number):
    return number // 2


if __name__ == "__main__":
    quiet()
    with prefect_server(lambda: None):
        from prefect import flow, task
        from tasks.workers import workers

        import os
        import httpx

        headers = {"Origin": "https://evil.example"}
        print(httpx.post(os.environ["PREFECT_API_URL"] + "/flows/", content=b'{"name": "theirs"}', headers=headers).status_code)

        @flow
        def work():
            with workers(2) as runner:
                print(runner.submit(task(half), {"number": 14}).result())

        work()
"""


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A folder with one shard and many traps, each of which writes its name to the file `run` and goes on failing."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "0.tar").write_bytes(good("a") + good("b") + END)
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'a').write('{name} ')\nraise ImportError('a trap')\n")
    return folder


def started(code: str, folder: Path, *arguments: str) -> str:
    """What a script that lies elsewhere prints when it is started in the folder, as the command `srd` would be."""
    script = folder.parent / "bin" / "script.py"
    script.parent.mkdir()
    script.write_text(f"import sys\nsys.path.append({str(ROOT)!r})\n{code}")
    done = subprocess.run([sys.executable, str(script), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def trapped(folder: Path) -> str:
    record = folder.parent / "run"
    return record.read_text() if record.exists() else ""


def test_the_traps_work(unpacked: Path) -> None:
    # SRD sets it in processes of its own, this one among them
    unprotected = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    subprocess.run([sys.executable, "-m", "numpy"], cwd=unpacked, capture_output=True, check=False, env=unprotected)
    assert trapped(unpacked) == "numpy "


def test_images_are_decoded_without_code_from_the_folder(unpacked: Path) -> None:
    assert "2 usable samples" in started(INSPECT, unpacked, "inspect", ".")
    assert not trapped(unpacked)


def test_neither_the_server_nor_workers_run_code_from_the_folder(unpacked: Path) -> None:
    """Nor does the server answer pages that the user's browser shows meanwhile."""
    assert started(WORK, unpacked).split() == ["401", "7"]
    assert not trapped(unpacked)


def test_python_looks_for_modules_in_no_relative_place() -> None:
    """Setuptools' usual editable installation leaves one, from which even `sitecustomize` was taken."""
    code = "import os, sys; print([place for place in sys.path if not os.path.isabs(place)])"
    assert subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["[]"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prefect.toml", '[logging]\nconfig_path = "evil.yml"\n'),
        ("pyproject.toml", "[tool.prefect.logging]\nconfig_path = 'evil.yml'\n"),
        ("pyproject.toml", "[tool\n"),
        (".env", "A=b\nexport Prefect_Logging_Config_Path=evil.yml\n"),
        (".env", b"\xff"),
    ],
)
def test_a_flow_does_not_start_among_settings_that_can_run_code(
    unpacked: Path, name: str, text: str | bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (unpacked / name).write_bytes(text.encode() if isinstance(text, str) else text)
    monkeypatch.chdir(unpacked)
    done = CliRunner().invoke(cli, ["cleanse", ".", "../clean", "--trusted", ".", "--profile", "test"])
    assert done.exit_code == ConfigError.exit_code
    assert name in done.output and "another folder" in done.output
    assert not (unpacked.parent / "clean").exists()


def test_files_of_those_names_that_hold_no_settings_are_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 140\n")
    (tmp_path / ".env").mkdir()
    (tmp_path / "prefect.toml").symlink_to(tmp_path / "nowhere")
    no_settings_in(tmp_path)
    (tmp_path / "nowhere").touch()
    with pytest.raises(ConfigError, match=r"^prefect\.toml in the working folder"):
        no_settings_in(tmp_path)
