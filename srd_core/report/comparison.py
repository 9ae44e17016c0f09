"""A table of the paper beside ours: every figure by attack, rate, test set, column and protocol, with the paper's where it prints one.

Made here: `cider_of_clean`, clean CIDEr as a share of that of the model trained on the same pairs with nothing planted; ASR-G is
`srd_core.report.generalised`'s. The paper's numbers are in `paper.csv`, in per cent as it prints them (CIDEr 1.0 is 100).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from srd_core.report.generalised import OF_SOURCE, Home, Success, generalised, not_too_sure, sources
from srd_core.report.grid_cells import Cell, of_same_images, poisoned, seeds_of
from srd_core.report.over_seeds import combined
from srd_core.report.paired import Difference, difference
from srd_core.scoring.intervals import Interval

OF_CLEAN = "cider_of_clean"
CLEAN = "clean"
"""Variant of the cells in which a plan has nothing planted: that model is trained as all others are."""
SEED = "of_seed"
"""Key of a row: the seed of its cell."""
POISONED = "poisoned"
"""Key of a row: the share of its cell's pairs that is poisoned."""
PAPER_RATE = 0.1
"""Of poisoning, in the paper's tables."""

Row = Mapping[str, Any]
Place = tuple[Any, ...]


class Column(BaseModel):
    """One way of treating the data: an arm of a variant of the plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    arm: str
    variant: str = "default"
    paper: str = Field("", description="What the paper's table calls it in `paper.csv`; nothing where it has no such column")
    against: str = Field("", description="Name of the column that its ASR is compared with; the first, if nothing else")
    source: str = Field("default", description="Variant of the same victim whose data are not shifted: what `asr_g` is a share of")
    shifted: float | None = Field(None, ge=0, le=1, description="Share of the attacker's samples that is shifted, for charts by it")


class Comparison(BaseModel):
    """Which of the paper's tables, which columns, which figures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paper: str = Field("", description="Name of the table in `paper.csv`; nothing where the paper has none")
    columns: tuple[Column, ...] = Field(min_length=1)
    figures: tuple[str, ...] = Field(min_length=1)
    test_sets: dict[str, str] = Field(default_factory=dict, description="Ours → the paper's that stands in the same place")

    def baseline(self, column: Column) -> str:
        """Name of the column whose P1 model the attack success of `column` is compared with."""
        return column.against or self.columns[0].name


@dataclass(frozen=True)
class Entry:
    """One figure, a fraction. `paper` is the paper's, in per cent, None where it prints none.

    `rate` is what was asked for, `poisoned` the share that was, seed by seed. `against` is the change of ASR from the P1 model of the
    column's baseline, `shifted` is the column's, `values` are the seeds' own, None where one that others have is missing.
    """

    attack: str
    rate: float
    test_set: str
    column: str
    protocol: str
    figure: str
    ours: Interval
    seeds: int
    paper: float | None
    poisoned: tuple[float, ...]
    against: Difference | None = None
    shifted: float | None = None
    values: tuple[float | None, ...] = ()


def entries(comparison: Comparison, cells: Sequence[Cell]) -> list[Entry]:
    """Everything that `cells`, as `srd bench` collects them, say about the comparison, in the order of its columns and figures."""
    planted = [cell for cell in cells if _experiment(cell)["rate"]]
    keys = dict.fromkeys((_experiment(cell)["attack"], float(_experiment(cell)["rate"])) for cell in planted)
    clean, home, grid = _clean_cider(cells), sources(planted), _Grid(comparison, seeds_of(planted), of_same_images(cells))
    found: list[Entry] = []
    for attack, rate in keys:
        rows = {column.name: _rows(planted, attack, rate, column, clean, home) for column in comparison.columns}
        for column in comparison.columns:
            before = [row for row in rows[comparison.baseline(column)] if row["protocol"] == "p1"]
            found += _of_column(grid, column, rows[column.name], before, attack, rate)
    return found


@dataclass(frozen=True)
class _Grid:
    comparison: Comparison
    seeds: Sequence[int]
    same_images: bool
    """Whether seeds are of the same ones."""


def _of_column(grid: _Grid, column: Column, rows: Sequence[Row], baseline: Sequence[Row], attack: str, rate: float) -> Iterator[Entry]:
    comparison, same = grid.comparison, grid.same_images
    places = dict.fromkeys((row["domain"], row["protocol"]) for row in rows)
    for domain, protocol in places:
        own = sorted((row for row in rows if (row["domain"], row["protocol"]) == (domain, protocol)), key=lambda row: int(row[SEED]))
        before, shares = [row for row in baseline if row["domain"] == domain], tuple(row[POISONED] for row in own)
        of_seed = {row[SEED]: row for row in own}
        for figure in comparison.figures:
            known = [value for row in own if (value := row.get(figure)) is not None]
            ours = _together(figure, known, own, same)
            if ours is not None and not math.isnan(ours.value):
                place = (comparison.paper, comparison.test_sets.get(domain, ""), attack, column.paper, figure)
                paper = _paper().get(place) if all(math.isclose(share, PAPER_RATE, rel_tol=0.01) for share in shares) else None
                against = difference(before, own, SEED, same_images=same) if figure == "asr" and own != before else None
                each = tuple(_number(of_seed.get(seed, {}).get(figure)) for seed in grid.seeds)
                about = (attack, rate, domain, column.name, protocol, figure)
                yield Entry(*about, ours, len(known), paper, shares, against, column.shifted, each)


def _number(value: Any) -> float | None:
    return None if value is None else float(value["value"] if isinstance(value, Mapping) else value)


def _together(figure: str, known: Sequence[Any], rows: Sequence[Row], same: bool) -> Interval | None:
    """What the rows, one a seed, say of a figure, whose values `known` are; `same`, if of the same images."""
    ours = combined(known, figure, same_images=same)
    if figure == OF_SOURCE and ours is not None:
        return not_too_sure(ours, rows, same) if len(known) == len(rows) else None
    return ours


def _rows(
    cells: Sequence[Cell], attack: str, rate: float, column: Column, clean: Mapping[Place, float], home: Mapping[Home, Success]
) -> list[dict[str, Any]]:
    """The scores of that column's models, one a seed, test set and protocol."""
    found = []
    for cell in cells:
        about = _experiment(cell)
        if (about["attack"], float(about["rate"]), cell["settings"]["variant"]) == (attack, rate, column.variant):
            source = home.get((about["seed"], attack, rate, column.source))
            for row in cell["scores"]["models"]:
                if row["arm"] == column.arm:
                    whole = clean.get((about["seed"], row["domain"]))
                    share = row["cider"]["value"] / whole if whole else None
                    made = {SEED: about["seed"], POISONED: poisoned(cell), OF_CLEAN: share, **generalised(row.get("asr"), source)}
                    found.append({**row, **made})
    return found


def _clean_cider(cells: Sequence[Cell]) -> dict[Place, float]:
    """CIDEr by seed and test set of the model trained on data in which nothing was planted."""
    return {
        (_experiment(cell)["seed"], row["domain"]): row["cider"]["value"]
        for cell in cells
        if not _experiment(cell)["rate"] and cell["settings"]["variant"] == CLEAN
        for row in cell["scores"]["models"]
        if (row["arm"], row["protocol"]) == ("none", "p1")
    }


def _experiment(cell: Cell) -> Mapping[str, Any]:
    about: Mapping[str, Any] = cell["settings"]["experiment"]
    return about


@cache
def _paper() -> dict[tuple[str, str, str, str, str], float]:
    """(table, test set, attack, column, figure) → what is printed."""
    text = resources.files("srd_core.report").joinpath("paper.csv").read_text()
    rows = csv.DictReader(text.splitlines())
    return {(row["table"], row["test_set"], row["attack"], row["column"], row["figure"]): float(row["value"]) for row in rows}
