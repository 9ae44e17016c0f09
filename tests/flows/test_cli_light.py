"""The command line answers before the big libraries are loaded."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import sys
from click.testing import CliRunner
from flows.cli import cli
result = CliRunner().invoke(cli, sys.argv[1:])
print(result.exit_code, sorted({"torch", "prefect", "transformers", "open_flamingo"} & set(sys.modules)), file=sys.__stdout__)
"""


def loaded(*arguments: str) -> str:
    """Exit code, and which of the big libraries a command loads."""
    return subprocess.run([sys.executable, "-c", _CODE, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def test_help_of_everything_loads_none() -> None:
    assert loaded("--help") == "0 []"


def test_a_wrong_setting_is_refused_before_anything_is_loaded() -> None:
    assert loaded("demo", "--set", "no.such=1") == "2 []"


def test_the_configuration_is_shown_without_them() -> None:
    assert loaded("config", "--profile", "paper").endswith("0 []")
