"""What an installed copy holds: an editable one shows everything, so that a file which is left out is missed by users only."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PATTERNS = SETUPTOOLS["package-data"]


def test_an_editable_installation_adds_an_absolute_path() -> None:
    """Without this key setuptools adds a relative one, a placeholder that a folder may bear as its name."""
    assert SETUPTOOLS["package-dir"] == {"": "."}


@pytest.mark.parametrize("package", ["srd_core", "tasks", "flows", "deployments"])
def test_every_data_file_of_a_package_is_installed_with_it(package: str) -> None:
    folder = ROOT / package
    there = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    installed = {path for pattern in PATTERNS.get(package, []) for path in folder.glob(pattern) if path.is_file()}
    assert there - installed == set()
