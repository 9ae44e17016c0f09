"""Charts of a comparison: one figure of every column, by attack or by rate; or of every attack, by the share of samples that is shifted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from srd_core.analysis.bars import bar_chart
from srd_core.report.comparison import Entry
from srd_core.report.comparison_page import LABELS
from srd_core.report.grid_cells import otherwise, span
from srd_core.scoring.intervals import Interval


class Chart(BaseModel):
    """What a chart shows: one chart a test set and protocol, and by rate one an attack.

    By `shifted`, bars are attacks, and only columns that say which share of the attacker's samples is shifted are there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    figures: tuple[str, ...] = Field(min_length=1, description="One: a bar a column. Several: a bar a figure, of the first column")
    by: Literal["attack", "rate", "shifted"] = "attack"
    name: str = Field("", description="Of the file; the first figure's if nothing else")


def drawn(chart: Chart, found: Sequence[Entry]) -> dict[str, str]:
    """SVG by name, for everything that `found` has of the chart's figures."""
    several = len(chart.figures) > 1
    own = [e for e in found if e.figure in chart.figures and (not several or e.column == found[0].column)]
    if chart.by == "shifted":
        own = sorted((e for e in own if e.shifted is not None), key=lambda e: e.shifted or 0.0)
    made, palette = {}, [_bar(entry, chart.by, several) for entry in (own if several else found)]
    for test_set, protocol, attack in dict.fromkeys((e.test_set, e.protocol, e.attack if chart.by == "rate" else "") for e in own):
        shown = [e for e in own if (e.test_set, e.protocol) == (test_set, protocol) and (not attack or e.attack == attack)]
        what = found[0].column if several else LABELS.get(chart.figures[0], chart.figures[0])
        title = " · ".join(filter(None, (what, attack, test_set, protocol.upper())))
        name = "-".join(filter(None, (chart.name or chart.figures[0], attack, test_set, protocol)))
        made[name] = _bars(title, shown, palette, by=chart.by, several=several)
    return made


def _bars(title: str, shown: Sequence[Entry], palette: Sequence[str], *, by: str, several: bool) -> str:
    groups: dict[str | float | None, list[Entry]] = {}
    for entry in shown:
        at: str | float | None = entry.attack if by == "attack" else entry.rate if by == "rate" else entry.shifted
        groups.setdefault(at, []).append(entry)
    known: dict[tuple[str, object], Interval] = {(_bar(entry, by, several), at): entry.ours for at in groups for entry in groups[at]}
    series = {name: [known.get((name, at)) for at in groups] for name in dict.fromkeys(_bar(entry, by, several) for entry in shown)}
    return bar_chart(title, [_label(own, by) for own in groups.values()], series, palette=palette)


def _label(group: Sequence[Entry], by: str) -> str:
    """What stands below a group; for a rate, the share that was poisoned."""
    first, shares = group[0], [share for entry in group for share in entry.poisoned]
    rate = span(shares, " %") if otherwise(first.rate, shares) else f"{100 * first.rate:g} %"
    return {"attack": first.attack, "rate": rate, "shifted": f"{first.shifted or 0:.0%}"}[by]


def _bar(entry: Entry, by: str, several: bool) -> str:
    """The name of the bar that an entry is."""
    return LABELS.get(entry.figure, entry.figure) if several else entry.attack if by == "shifted" else entry.column
