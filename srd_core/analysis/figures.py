"""Line charts and bars with intervals, as inline SVG. Values come in as they are; only axes are chosen here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from srd_core.analysis.svg import BLUE, FAINT, INK, ORANGE, drawing, element, number, path, text
from srd_core.policy.curve import LearningCurve
from srd_core.scoring.intervals import Interval

_WIDTH, _HEIGHT = 460.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 14.0, 34.0


@dataclass(frozen=True)
class Line:
    """One line of a chart: points (x, y), its name, and whether it is dashed (so that colour is not needed to tell lines apart)."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = BLUE
    dashed: bool = False


def interval_bar(interval: Interval, limit: float = 1.0, colour: str = BLUE) -> str:
    """A small bar from 0 to the value with a whisker over the interval, on a scale from 0 to `limit`; for beside the number."""
    width, height = 96.0, 12.0

    def place(value: float) -> float:
        return width * min(max(value / limit, 0.0), 1.0) if limit > 0 and math.isfinite(value) else 0.0

    parts = [element("rect", x=0, y=3, width=width, height=6, rx=3, fill=FAINT, opacity=0.45)]
    if math.isfinite(interval.value):
        parts.append(element("rect", x=0, y=3, width=max(place(interval.value), 1.5), height=6, rx=3, fill=colour))
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        low, high = place(interval.low), place(interval.high)
        ends = [((low, 6.0), (max(high, low + 0.8), 6.0)), *(((x, 2.5), (x, 9.5)) for x in (max(low, 0.6), min(high, width - 0.6)))]
        parts += [element("path", d=path(line), stroke=INK, stroke_width=1.2, fill="none") for line in ends]
    return drawing(width, height, "", *parts, class_="bar", hidden=True)


def share_bar(shares: Sequence[tuple[str, float]]) -> str:
    """One bar cut into shares, (CSS class, share); shares add up to at most 1. Thin shares stay visible."""
    x, parts = 0.0, [element("rect", x=0, y=0, width=100, height=4, fill=FAINT, opacity=0.45)]
    for name, share in shares:
        if share > 0:
            parts.append(element("rect", x=x, y=0, width=max(100 * share, 0.25), height=4, class_=name))
            x += 100 * share
    return element("svg", *parts, viewBox="0 0 100 4", class_="shares", preserveAspectRatio="none", aria_hidden="true")


def line_chart(title: str, lines: Sequence[Line], x_name: str, *, percent: bool = False) -> str:
    """Lines over a common axis, each named at its right end by the legend above. Points that are not finite are left out."""
    drawn = [Line(line.name, [p for p in line.points if all(map(math.isfinite, p))], line.colour, line.dashed) for line in lines]
    xs = [x for line in drawn for x, _ in line.points] or [0.0, 1.0]
    ys = [y for line in drawn for _, y in line.points] or [0.0, 1.0]
    y_ticks = ticks(min([0.0, *ys]), max([0.0, *ys]))
    x_ticks = ticks(0.0, max(xs))

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    parts: list[str] = []
    for tick in y_ticks:
        _, y = at(x_ticks[0], tick)
        parts.append(element("line", x1=_LEFT, y1=y, x2=_WIDTH - _RIGHT, y2=y, stroke=FAINT, stroke_width=1.4 if tick == 0 else 0.6))
        parts.append(text(f"{100 * tick:g} %" if percent else f"{tick:g}", _LEFT - 7, y + 4, anchor="end"))
    for tick in x_ticks:
        x, _ = at(tick, y_ticks[0])
        parts.append(text(_thousands(tick), x, _HEIGHT - _BOTTOM + 16, anchor="middle"))
    parts.append(text(x_name, _WIDTH - _RIGHT, _HEIGHT - 3, anchor="end"))
    for line in drawn:
        points = [at(x, y) for x, y in line.points]
        if points:
            dash = "5 4" if line.dashed else "none"
            parts.append(element("path", d=path(points), fill="none", stroke=line.colour, stroke_width=2, stroke_dasharray=dash))
            parts.append(element("circle", cx=points[-1][0], cy=points[-1][1], r=3.2, fill=line.colour))
    return drawing(_WIDTH, _HEIGHT, _described(title, drawn, percent), *parts)


def reward_chart(curve: LearningCurve) -> str:
    """Mean reward while exploring, and of the greedy policy on held-out images where it was measured."""
    lines = [Line("while exploring", [(p.step, p.mean_reward) for p in curve.points], ORANGE, dashed=True)]
    held = [(float(p.step), p.held_out) for p in curve.points if p.held_out is not None]
    return line_chart("Mean reward of a mask", [*lines, Line("held out, greedy", held)] if held else lines, "environment steps")


def improved_chart(curve: LearningCurve) -> str:
    """Share of tried masks that earned a reward above 0."""
    line = Line("improved", [(p.step, p.improved) for p in curve.points])
    return line_chart("Masks that improved the caption", [line], "environment steps", percent=True)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, from at most `low` to at least `high`, about `count` of them, at least two; a flat range is made 1 wide."""
    span = high - low
    if span <= 1e-9 * max(1.0, abs(low)):
        return [low, low + 1.0]
    raw = span / (count - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _thousands(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _described(title: str, lines: Sequence[Line], percent: bool) -> str:
    def end(line: Line) -> str:
        last = line.points[-1][1]
        return f"{line.name} ends at {number(100 * last)} %" if percent else f"{line.name} ends at {number(last)}"

    return f"{title}: " + ("; ".join(end(line) for line in lines if line.points) or "no points")
