"""Rows of the page's tables: arms, shards, rejections, detection, words, calibration, provenance. Long ones are cut, and say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from srd_core.analysis.figures import share_bar
from srd_core.analysis.svg import ORANGE
from srd_core.report import names
from srd_core.report.data import Accounting, ReportData
from srd_core.report.numbers import NOT_MEASURED, TableCell, cell, rate
from srd_core.report.text import CAPTION, NAME, visible
from srd_core.scoring.scores import ModelScores

ROWS = 100
"""Rows of a table that are shown."""

ACTIONS = {"keep": "kept", "mask": "masked", "recaption": "recaptioned", "quarantine": "quarantined", "reject": "rejected"}

_FIGURES = {
    "asr": "Attack success",
    "asr_raw": "Attack success, substring",
    "false_trigger": "False trigger",
    "cider": "CIDEr",
    "bleu_4": "BLEU-4",
    "sc": "SC",
    "lf": "LF",
    "sfs": "SFS",
}
_RATES = ("asr", "asr_raw", "false_trigger")


Row = Sequence[TableCell | str]


@dataclass(frozen=True)
class Table:
    """A table: the first `names` columns are text, the others figures. `notes` explain gaps; `more` rows were left out."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())
    more: int = 0


def arms(data: ReportData) -> Table | None:
    """One row a retrained model and test set; None when nothing was retrained."""
    models = data.scores.models
    if not models:
        return None
    seeds = len({model.seed for model in models}) > 1
    names = ["Data", "Protocol", "Test set", *(["Seed"] if seeds else [])]
    limits = {"cider": max([1.0, *(m.cider.value for m in models if math.isfinite(m.cider.value))])}
    rows: list[Row] = [
        [*_names(model, seeds), *(_figure(model, name, limits.get(name, 1.0)) for name in _FIGURES)] for model in models[:ROWS]
    ]
    gaps = [i for i, name in enumerate(_FIGURES) if any(not _is_measured(row[len(names) + i]) for row in rows)]
    notes = [f"{list(_FIGURES.values())[i]} — {NOT_MEASURED}: {reason(data, list(_FIGURES)[i])}" for i in gaps]
    caption = "Retrained models, each figure with its 95 % interval"
    return Table(caption, [*names, *_FIGURES.values()], rows, notes, max(len(models) - ROWS, 0))


def reason(data: ReportData, name: str) -> str:
    """Why the figure or part `name` is missing."""
    return visible(data.reasons.get(name, "not part of this run"), CAPTION)


def shards(accounting: Accounting) -> Table:
    """One row a shard: pairs by action."""
    rows: list[Row] = [
        [visible(shard.name, NAME), *_counts(shard.actions), TableCell(f"{shard.pairs:,}", bar=shares(shard.actions))]
        for shard in accounting.shards[:ROWS]
    ]
    columns = ["Shard", *map(str.capitalize, ACTIONS.values()), "All"]
    return Table("Pairs by shard", columns, rows, (), max(len(accounting.shards) - ROWS, 0))


def shares(actions: Mapping[str, int]) -> Markup:
    """What became of the pairs, as one bar."""
    total = sum(actions.values())
    return Markup(share_bar([(f"act-{name}", actions.get(name, 0) / total) for name in ACTIONS] if total else []))


def rejections(accounting: Accounting) -> Table | None:
    """Pairs by the reason for which they could not be read; None when all could."""
    ranked = sorted(accounting.rejected.items(), key=lambda item: (-item[1], item[0]))
    rows: list[Row] = [[visible(name, NAME), TableCell(f"{count:,}")] for name, count in ranked[:ROWS]]
    return Table("Rejected pairs by reason", ["Reason", "Pairs"], rows, (), max(len(ranked) - ROWS, 0)) if rows else None


def words(data: ReportData) -> Table | None:
    """The most telling words of the flagged pairs; None when there are none."""
    ranked = sorted(data.words, key=lambda item: (-item.flagged, item.word))
    flagged = max(data.verdict.figures.flagged, 1)
    rows: list[Row] = [
        [
            visible(item.word, NAME),
            TableCell(f"{item.flagged:,}"),
            cell(min(item.flagged / flagged, 1.0), percent=True, colour=ORANGE),
            TableCell(f"{item.pairs:,}"),
            cell(min(item.flagged / item.pairs, 1.0), percent=True, colour=ORANGE),
        ]
        for item in ranked[:20]
    ]
    columns = ["Word", "Flagged pairs that hold it", "Share of all flags", "Pairs that hold it", "Of these, flagged"]
    return Table("Words of the flagged captions that others lack", columns, rows, (), max(len(ranked) - 20, 0)) if rows else None


def surplus(data: ReportData) -> Table | None:
    """Words that the set has far more of than the trusted one; None when there are none."""
    rows: list[Row] = [
        [
            visible(item.word, NAME),
            TableCell(f"{item.held:,}"),
            cell(item.share, percent=True, colour=ORANGE),
            TableCell(f"{item.trusted:,}"),
            cell(item.usual, percent=True),
        ]
        for item in data.surplus
    ]
    columns = ["Word", "Pairs that hold it", "Share of all pairs", "Times in trusted captions", "Share of these"]
    return Table("Words that these captions hold at least four times as often as trusted ones", columns, rows) if rows else None


def detection(data: ReportData) -> Table | None:
    """Detectors against the truth, in experiments only."""
    columns = ["Detector", "AUROC", "Average precision", "Precision", "Recall", "Recall at 0.5 % false positives", "Clean pairs left alone"]
    rows: list[Row] = [
        [
            visible(name, NAME),
            cell(item.auroc),
            cell(item.average_precision),
            cell(item.precision, percent=True),
            cell(item.recall, percent=True),
            cell(item.recall_at_half_percent, percent=True),
            cell(item.kept_clean, percent=True),
        ]
        for name, item in sorted(data.scores.detection.items())[:ROWS]
    ]
    return Table("Detection against the truth, known in experiments only", columns, rows) if rows else None


def thresholds(data: ReportData) -> Table | None:
    """Threshold of each channel."""
    known = sorted(data.calibration.thresholds.items()) if data.calibration else []
    rows: list[Row] = [[names.channel(name), TableCell(f"{value:.4g}")] for name, value in known[:ROWS]]
    return Table("Thresholds", ["Channel", "Flag above"], rows) if rows else None


def expected_recall(data: ReportData) -> Table | None:
    """Recall on poisons that the run put into trusted pairs itself."""
    known = sorted(data.calibration.expected_recall.items()) if data.calibration else []
    rows: list[Row] = [[visible(name, NAME), cell(item, percent=True)] for name, item in known[:ROWS]]
    return Table("Expected recall on poisons that this run injected itself", ["Kind", "Recall"], rows) if rows else None


def provenance(data: ReportData) -> Table:
    """What the run depended on."""
    known = data.provenance
    places = [(f"{name}, place", value) for name, value in sorted(known.places.items())]
    inputs = [(f"{name}, as in RUN.json", value) for name, value in sorted(known.inputs.items())]
    listed = [*places, *inputs, *known.settings.items(), ("configuration", known.configuration), *sorted(known.versions.items())]
    rows: list[Row] = [[visible(name, NAME), visible(value, NAME)] for name, value in listed[:ROWS]]
    return Table("What this run depended on", ["What", "Value or digest"], rows, (), max(len(listed) - ROWS, 0))


def _names(model: ModelScores, seeds: bool) -> list[TableCell | str]:
    shown: list[TableCell | str] = [visible(model.arm, NAME), visible(model.protocol, NAME).upper(), visible(model.domain, NAME)]
    return [*shown, str(model.seed)] if seeds else shown


def _figure(model: ModelScores, name: str, limit: float) -> TableCell:
    return cell(getattr(model, name), percent=name in _RATES, limit=limit, colour=ORANGE if name in _RATES else None)


def _is_measured(item: TableCell | str) -> bool:
    return isinstance(item, str) or item.measured


def _counts(actions: Mapping[str, int]) -> list[TableCell]:
    return [TableCell(f"{actions.get(name, 0):,}") for name in ACTIONS]


def legend(actions: Mapping[str, int]) -> list[tuple[str, str, str, str]]:
    """(CSS class, what was done, pairs, share) of each action."""
    total = max(sum(actions.values()), 1)
    return [(f"act-{name}", said, f"{actions.get(name, 0):,}", rate(actions.get(name, 0) / total)) for name, said in ACTIONS.items()]
