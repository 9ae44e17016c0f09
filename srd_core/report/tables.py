"""Rows of the page's tables: arms, shards, rejections, detection, words, calibration, provenance. Long ones are cut, and say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from srd_core.analysis.figures import share_bar
from srd_core.analysis.svg import ORANGE
from srd_core.report import names
from srd_core.report.data import Accounting, ReportData
from srd_core.report.numbers import NOT_MEASURED, PERCENT, TableCell, cell, rate
from srd_core.report.text import CAPTION, NAME, visible
from srd_core.scoring.scores import DetectionScores, Interval, ModelScores

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
    """A table: the first columns are text, the others figures. `notes` explain gaps; `more` rows were left out; `own` are the user's."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default=())
    more: int = 0
    own: frozenset[int] = frozenset()


def arms(data: ReportData) -> Table | None:
    """One row a retrained model and test set, those of the arm handed back first; None when nothing was retrained."""
    models = sorted(data.scores.models, key=lambda model: model.arm != data.handed_back)
    if not models:
        return None
    about = _about(data, models)
    figures = [name for name in _FIGURES if name != "asr_raw" or any(_value(model.asr_raw) != _value(model.asr) for model in models)]
    limits = {"cider": max([1.0, *(m.cider.value for m in models if math.isfinite(m.cider.value))])}
    rows: list[Row] = [
        [*(say(model) for say in about.values()), *(_figure(model, name, limits.get(name, 1.0)) for name in figures)]
        for model in models[:ROWS]
    ]
    gaps = [name for i, name in enumerate(figures) if any(not _is_measured(row[len(about) + i]) for row in rows)]
    notes = [*_protocols(models, _by_attacker(data)), *(f"{_FIGURES[name]} — {NOT_MEASURED}: {reason(data, name)}" for name in gaps)]
    notes += [f"{names.arm(arm)}: could look for nothing: {visible(why, CAPTION)}" for arm, why in data.scores.silent.items()]
    own = frozenset(number for number, model in enumerate(models) if (model.arm, model.protocol) == (data.handed_back, "p1"))
    caption = f"Retrained models, each figure with its 95{PERCENT} interval"
    return Table(caption, [*about, *(_FIGURES[name] for name in figures)], rows, notes, max(len(models) - ROWS, 0), own)


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
    return _by_reason("Rejected pairs by reason", "Pairs", accounting.rejected)


def endings(accounting: Accounting) -> Table | None:
    """Shards by the reason for which they were not read to their end; None when all were."""
    return _by_reason("Shards not read to their end, by reason", "Shards", accounting.ended)


def _by_reason(caption: str, counted: str, counts: Mapping[str, int]) -> Table | None:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows: list[Row] = [[visible(name, NAME), TableCell(f"{count:,}")] for name, count in ranked[:ROWS]]
    return Table(caption, ["Reason", counted], rows, (), max(len(ranked) - ROWS, 0)) if rows else None


def words(data: ReportData) -> Table | None:
    """The words of the flagged pairs, as they come: the most telling first; None when there are none."""
    flagged = max(data.verdict.figures.flagged, 1)
    rows: list[Row] = [
        [
            visible(item.word, NAME),
            TableCell(f"{item.flagged:,}"),
            cell(min(item.flagged / flagged, 1.0), percent=True, colour=ORANGE),
            TableCell(f"{item.pairs:,}"),
            cell(min(item.flagged / item.pairs, 1.0), percent=True, colour=ORANGE),
        ]
        for item in data.words
    ]
    columns = ["Word", "Flagged pairs that hold it", "Share of all flags", "Pairs that hold it", "Of these, flagged"]
    caption = "Words of the flagged captions that others lack, the most telling first"
    return Table(caption, columns, rows) if rows else None


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


def detection(data: ReportData) -> list[Table]:
    """In experiments only, against the truth: what each arm's decisions were worth, and how well each score separates by itself."""
    found = {names.detector(name): item for name, item in sorted(data.scores.detection.items())[:ROWS]}
    made = {(arm, unit): item for (arm, _, unit), item in found.items()}
    tables = (
        Table(
            "Decisions as made, by all channels together",
            ["Arm", "Precision", "Recall", "Clean pairs left alone"],
            [
                [names.arm(arm) + unit, *(cell(part, percent=True) for part in (item.precision, item.recall, item.kept_clean))]
                for (arm, unit), item in made.items()
            ],
        ),
        Table(
            "What each score alone would tell",
            ["Score", "AUROC", "Average precision", *(f"Recall at {part}{PERCENT} false positives" for part in ("0.5", "1"))],
            [
                [(names.channel(score) if score else f"score of {names.arm(arm)}") + unit, *_separates(item)]
                for (arm, score, unit), item in found.items()
            ],
        ),
    )
    return list(tables) if found else []


def _separates(item: DetectionScores) -> list[TableCell]:
    recalls = (item.recall_at_half_percent, item.recall_at_one_percent)
    return [cell(item.auroc), cell(item.average_precision), *(cell(part, percent=True) for part in recalls)]


def thresholds(data: ReportData) -> Table | None:
    """Threshold of each channel."""
    known = sorted(data.calibration.thresholds.items()) if data.calibration else []
    rows: list[Row] = [[names.channel(name), TableCell(f"{value:.4g}")] for name, value in known[:ROWS]]
    unused = data.calibration.unused if data.calibration else ()
    rows += [[names.channel(name), TableCell("not used: no share of the budget")] for name in unused[:ROWS]]
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


def _about(data: ReportData, models: Sequence[ModelScores]) -> dict[str, Callable[[ModelScores], str]]:
    """The columns that say which model it is, without those in which all are alike."""
    labels = {"none": "the attacker's own model"} if _by_attacker(data) else {}
    columns: dict[str, Callable[[ModelScores], str]] = {"Data": lambda model: labels.get(model.arm) or names.arm(model.arm)}
    if len({model.protocol for model in models}) > 1:
        columns["Protocol"] = lambda model: visible(model.protocol, NAME).upper()
    columns["Test set"] = lambda model: visible(model.domain, NAME)
    return columns


def _by_attacker(data: ReportData) -> bool:
    effect = data.verdict.figures.backdoor
    return effect is not None and effect.attacker_trains


def _protocols(models: Sequence[ModelScores], attacker_trains: bool) -> list[str]:
    """What the protocols are, of those that there are."""
    found = {model.protocol for model in models}
    said = {"p1": "retrained from the base model", "p2": "continued from the model that was trained on the data as it came"}
    known = [f"{name.upper()}: {meaning}" for name, meaning in said.items() if name in found]
    but = ", but the attacker's own" if attacker_trains else ""
    return [f"{'Every model is' if len(found) == 1 else 'Models are'} {'; '.join(known)}{but}."] if known else []


def _value(item: Interval | None) -> float | None:
    return item.value if item else None


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
