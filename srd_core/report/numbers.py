"""Figures as a person reads them, and the cell that says "not measured" where there is none."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from markupsafe import Markup

from srd_core.analysis.figures import interval_bar
from srd_core.report.verdict import percent
from srd_core.scoring.intervals import Interval

NOT_MEASURED = "not measured"
PERCENT = "\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class TableCell:
    """One figure of a table: the value, its interval in words, a bar. `measured` is False for "not measured"."""

    value: str
    interval: str = ""
    bar: Markup = field(default_factory=Markup)
    measured: bool = True


def rate(value: float) -> str:
    """As `percent`, the sign not to be torn off at a line's end."""
    return unbroken(percent(value))


def unbroken(text: str) -> str:
    """`text` in which no sign for per cent is torn off its number."""
    return re.sub(r"(?<=\d) %", PERCENT, text)


def score(value: float) -> str:
    """A score with three decimals; `unknown` for NaN."""
    return "unknown" if math.isnan(value) else f"{value:.3f}"


def span(item: Interval, *, percent: bool = False) -> str:
    """The limits of an interval: `9.1 – 11 %`, `0.79 – 0.83`; empty where they are not known."""
    if not (math.isfinite(item.low) and math.isfinite(item.high)):
        return ""
    return f"{rate(item.low).removesuffix(PERCENT)} – {rate(item.high)}" if percent else f"{item.low:.2f} – {item.high:.2f}"


def cell(item: Interval | float | None, *, percent: bool = False, limit: float = 1.0, colour: str | None = None) -> TableCell:
    """An interval, a bare number (no interval known), or None, ready to be shown. Bars run from 0 to `limit`."""
    if item is None or (isinstance(item, float) and math.isnan(item)):
        return TableCell(NOT_MEASURED, measured=False)
    known = item if isinstance(item, Interval) else Interval(value=item, low=math.nan, high=math.nan, n=0)
    write = rate if percent else score
    between = span(known, percent=percent)
    bar = interval_bar(known, limit, colour) if colour else interval_bar(known, limit)
    return TableCell(write(known.value), between, Markup(bar))
