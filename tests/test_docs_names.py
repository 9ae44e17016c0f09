"""The page of names knows every attack, arm and figure."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from srd_core.attacks.registry import names
from srd_core.config import Arm, Mode
from srd_core.report.comparison_page import LABELS
from srd_core.stages.arms import SCREENS

PAGE = (Path(__file__).parent.parent / "docs" / "experiments.md").read_text()


def test_every_attack_is_there_and_no_other() -> None:
    rows = PAGE.partition("## Attacks")[2].partition("## Arms")[0].splitlines()
    assert {row.split("`")[1] for row in rows if row.startswith("| `")} == set(names())


def test_every_arm_is_there() -> None:
    rows = PAGE.partition("## Arms")[2].partition("## Figures")[0]
    assert all(f"`{arm}`" in rows for arm in get_args(Arm))
    assert {arm for arm in get_args(Mode) if isinstance(arm, str)} <= {*SCREENS, "none", "random", "srd", "evidence"}


def test_every_figure_of_a_table_is_there() -> None:
    figures = PAGE.partition("## Figures")[2].partition("## Sizes")[0]
    known = {name.removesuffix("_triggered").removesuffix("_clean") for name in LABELS}
    assert all(f"`{name}`" in figures for name in known - {"cider_of"})
