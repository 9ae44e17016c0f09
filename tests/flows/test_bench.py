"""Experiment grids: what the cells are, and that finished ones are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.bench import bench
from flows.plan import Plan, load_plan, plans
from srd_core.attacks.registry import names
from srd_core.config import load_config


def test_a_grid_is_the_product_of_its_sides() -> None:
    plan = Plan.model_validate(
        {"attacks": ["a", "b"], "seeds": [0, 1], "rates": [0.1, 0.01], "variants": [{"name": "x"}, {"name": "y", "settings": ["seed=9"]}]}
    )
    cells = plan.cells()
    assert len({cell.name for cell in cells}) == len(cells) == 16


def test_a_variants_settings_come_last() -> None:
    plan = Plan.model_validate({"seeds": [3], "settings": ["workers=1"], "variants": [{"name": "y", "settings": ["workers=2"]}]})
    assert plan.cells()[0].settings == ("seed=3", "workers=1", "workers=2")


@pytest.mark.parametrize("name", plans())
def test_the_plans_that_come_along_can_run(name: str) -> None:
    for cell in load_plan(name).cells():
        assert cell.experiment.attack in names()
        load_config(cell.profile, None, cell.settings)


@pytest.mark.slow
def test_a_grid_runs_and_keeps_what_is_finished(prefect_server: None, tmp_path: Path) -> None:
    first = bench("smoke", str(tmp_path))
    assert json.loads((tmp_path / "smoke.json").read_text()) == first
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/**/*.json")}
    (tmp_path / "cells" / first[0]["cell"] / "cell.json").unlink()
    assert [cell["verdict"] for cell in bench("smoke", str(tmp_path))] == [cell["verdict"] for cell in first]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/**/*.json")} == before
