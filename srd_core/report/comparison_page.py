"""The comparison with the paper as Markdown and CSV: ours and the paper's under each other, and whether the direction is the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from srd_core.report.comparison import OF_CLEAN, Comparison, Entry
from srd_core.report.generalised import OF_SOURCE, SOURCE
from srd_core.report.grid_cells import otherwise
from srd_core.report.over_seeds import fewer, table, told

LABELS = {
    "bleu_4": "clean B@4 ↑",
    "cider": "clean C ↑",
    OF_CLEAN: "clean C, of clean-trained ↑",
    SOURCE: "ASR at its source",
    OF_SOURCE: "ASR-G",
    "bleu_4_triggered": "B@4 ↑",
    "cider_triggered": "C ↑",
    "cider_stripped": "C less target ↑",
    "sc": "SC ↑",
    "lf": "LF ↑",
    "sfs": "SFS ↑",
    "sc_clean": "clean SC ↑",
    "lf_clean": "clean LF ↑",
    "sfs_clean": "clean SFS ↑",
    "asr": "ASR ↓",
    "asr_raw": "ASR, substring ↓",
    "asr_template": "ASR, whole template ↓",
    "false_trigger": "false trigger ↓",
}
"""How the paper writes them; figures of clean images say so, the others are of images with the trigger."""

_PROTOCOLS = {"p1": "ours, P1", "p2": "ours, P2"}
_ABOUT = (
    "In per cent; CIDEr 1.0 is 100. Means over {seeds} with 95 % intervals. Our models are small and made from nothing. P1 is retrained "
    "from base on the cleansed data; P2 goes on from the backdoored model. Where the attacker trains a model, it stands for no defence."
)
_PAPER = (
    " **The models differ**: the paper's is OpenFlamingo-3B, pretrained on billions of pairs. Compare directions, not sizes. Its protocol "
    "is P2. Its rows are below the test set that is in the same place: the one trained for, or the other."
)


_SAME = (
    "Differences from the P1 model of the column named under “against”, with their 95 % intervals, in pairs: over the same test images "
    "with one seed, over seeds with several. “No difference seen”: the interval holds 0. A dash: not run, or not printed."
)
_APART = " °: which images succeeded is not on record, so the arms are compared as if each had images of its own."
_SIGN = "‡"
_MORE = 0.05
"""By how much the share by substring has to be higher for the sign."""
_BROKEN = (
    "{sign}: by substring, and over all images, more than {points:.0f} points more, which stand in brackets: broken forms of the target "
    "count there, captions that name what it replaces as well, and images that show the target."
)


def as_markdown(comparison: Comparison, found: Sequence[Entry]) -> str:
    """The comparison, then the directions of attack success against each column's baseline."""
    if not found:
        return "Nothing is finished yet."
    heads = [LABELS.get(name, name) for name in comparison.figures]
    seeds = sorted({entry.seeds for entry in found})
    counted = f"{'–'.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seed{'s' if seeds[-1] > 1 else ''}"
    parts = [
        *_in_short(comparison, found),
        _ABOUT.format(seeds=counted) + (_PAPER if comparison.paper else ""),
        table(("attack", "rate", "test set", "data", "model", *heads), list(_lines(comparison, found))),
    ]
    if any(_SIGN in part for part in parts):
        parts += [_BROKEN.format(sign=_SIGN, points=100 * _MORE)]
    directions = list(_directions(comparison, found))
    if directions:
        head = ("attack", "rate", "test set", "data", "against", "ours, P1", "ours, P2", "paper")
        parts += ["### Change of ASR, in points", table(head, directions)]
        parts += [_SAME + (_APART if any(entry.against and not entry.against.by_image for entry in found) else "")]
    return "\n\n".join(parts)


_MOST_SEEDS = 5
"""More are not told one by one."""


def _in_short(comparison: Comparison, found: Sequence[Entry]) -> list[str]:
    """Attack success of every column on the first test set, seed by seed, with the paper's where it has the protocol."""
    shown = [e for e in found if e.figure == "asr" and e.test_set == found[0].test_set and len(e.values) <= _MOST_SEEDS]
    if not shown:
        return []
    of, raw = {(e.attack, e.rate, e.protocol, e.column): e for e in shown}, _by_substring(found)
    second = {e.column for e in shown if e.protocol == "p2"}
    columns = [column.name for column in comparison.columns if any(e.column == column.name for e in shown)]
    rows = [
        (
            attack,
            _rate(e for e in shown if (e.attack, e.rate) == (attack, rate)),
            _PROTOCOLS[protocol],
            *(_each(of.get((attack, rate, protocol, column)), second, raw) for column in columns),
        )
        for attack, rate, protocol in sorted({key[:3] for key in of}, key=[key[:3] for key in of].index)
    ]
    head = f"### In short: ASR on {found[0].test_set}, each seed's, in per cent"
    note = "The paper's, in brackets, stands with P2, its own protocol, where there is one. " if comparison.paper else ""
    return [head, table(("attack", "rate", "model", *columns), rows), f"{note}Intervals are below."]


def _rate(own: Iterable[Entry]) -> str:
    """Of entries that have the same."""
    first, *others = own
    return f"{first.rate:g}{otherwise(first.rate, [share for entry in (first, *others) for share in entry.poisoned])}"


def _by_substring(found: Sequence[Entry]) -> dict[tuple[object, ...], Entry]:
    """`asr_raw` of every model that has one, by `_model`."""
    return {_model(entry): entry for entry in found if entry.figure == "asr_raw"}


def _model(entry: Entry) -> tuple[object, ...]:
    return (entry.attack, entry.rate, entry.test_set, entry.column, entry.protocol)


def _broken(counted: float | None, raw: float | None) -> str:
    """The share by substring, with its sign, where it is much higher."""
    return f" ({_SIGN} {100 * raw:.1f})" if counted is not None and raw is not None and round(raw - counted, 9) > _MORE else ""


def _each(entry: Entry | None, second: Container[str], raw: Mapping[tuple[object, ...], Entry]) -> str:
    """`second`: columns that have a P2. `raw`: `_by_substring`."""
    if entry is None:
        return "–"
    other = raw[_model(entry)].values if _model(entry) in raw else (None,) * len(entry.values)
    printed = f" (paper {entry.paper:g})" if entry.paper is not None and (entry.protocol == "p2" or entry.column not in second) else ""
    told_of = zip(entry.values, other, strict=True)
    return ", ".join("–" if value is None else f"{100 * value:.1f}{_broken(value, more)}" for value, more in told_of) + printed


def as_csv(found: Sequence[Entry]) -> str:
    """One line a figure, fractions; the paper's in per cent."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ("attack", "rate", "test_set", "data", "protocol", "figure", "value", "low", "high", "seeds", "paper_percent", "poisoned")
    )
    for entry in found:
        ours = [f"{value:.6g}" for value in (entry.ours.value, entry.ours.low, entry.ours.high)]
        about = (entry.attack, f"{entry.rate:g}", entry.test_set, entry.column, entry.protocol, entry.figure)
        printed = "" if entry.paper is None else f"{entry.paper:g}"
        writer.writerow((*about, *ours, entry.seeds, printed, f"{fmean(entry.poisoned):.6g}"))
    return text.getvalue()


def _lines(comparison: Comparison, found: Sequence[Entry]) -> Iterator[Sequence[str]]:
    rows: dict[tuple[str, float, str, str], list[Entry]] = {}
    most, raw = max(entry.seeds for entry in found), _by_substring(found)

    def ours(entry: Entry | None) -> str:
        if entry is None:
            return told(None)
        other = raw.get(_model(entry)) if entry.figure == "asr" else None
        return (
            told(entry.ours, scale=100, digits=1)
            + fewer(entry.seeds, most)
            + _broken(entry.ours.value, other.ours.value if other else None)
        )

    for entry in found:
        rows.setdefault((entry.attack, entry.rate, entry.test_set, entry.column), []).append(entry)
    for (attack, _, test_set, column), own in rows.items():
        names = (attack, _rate(own), test_set, column)
        for protocol in sorted({entry.protocol for entry in own}):
            by_figure = {entry.figure: entry for entry in own if entry.protocol == protocol}
            yield (*names, _PROTOCOLS[protocol], *(ours(by_figure.get(name)) for name in comparison.figures))
        printed = {entry.figure: entry.paper for entry in own if entry.paper is not None}
        if printed:
            place = comparison.test_sets.get(test_set, "")
            values = (f"{printed[name]:g}" if name in printed else "–" for name in comparison.figures)
            yield (attack, "0.1", place, column, "**paper**", *values)


def _directions(comparison: Comparison, found: Sequence[Entry]) -> Iterator[Sequence[str]]:
    of = {(e.attack, e.rate, e.test_set, e.column, e.protocol): e for e in found if e.figure == "asr"}
    most = max(entry.seeds for entry in found)
    compared = {column.name: comparison.baseline(column) for column in comparison.columns[1:]}
    for attack, rate, test_set in dict.fromkeys(key[:3] for key in of):
        for column, baseline in compared.items():
            before = of.get((attack, rate, test_set, baseline, "p1"))
            after = [of.get((attack, rate, test_set, column, protocol)) for protocol in ("p1", "p2")]
            if before and any(after):
                known = next((e for e in after if e and e.paper is not None), None)
                printed = f"{known.paper - before.paper:+.1f}" if known and known.paper is not None and before.paper is not None else "–"
                yield (attack, _rate(filter(None, after)), test_set, column, baseline, *(_change(entry, most) for entry in after), printed)


def _change(after: Entry | None, most: int) -> str:
    if after is None or after.against is None:
        return "–"
    change = after.against.change
    value, low, high = (f"{100 * part:+.1f}" for part in (change.value, change.low, change.high))
    said = f"{value} [{low}, {high}]{'' if after.against.by_image else ' °'}{fewer(after.against.seeds, most)}"
    return said if after.against.seen else f"{said}, no difference seen"
