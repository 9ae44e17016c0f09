"""Every row of the threat model names a test, and it is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    line for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line.startswith("| ") and not line.startswith("| who ")
]


def test_there_are_rows() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS)
def test_the_row_names_a_test_that_exists(row: str) -> None:
    *_, cell = row.strip("| ").split(" | ")
    for reference in cell.split(", "):
        named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", reference)
        assert named, f"no test in the last cell: {cell}"
        path, name = named.groups()
        functions = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}
        assert name in functions
