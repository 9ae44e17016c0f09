"""Grouped bars with whiskers over their intervals, as SVG that stands alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from srd_core.analysis.figures import ticks
from srd_core.analysis.svg import FAINT, INK, Attribute, drawing, element, path, text
from srd_core.scoring.intervals import Interval

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5a6876", "#882255")
"""Okabe and Ito's and a wine red, told apart by people with any kind of colour vision."""
_OPACITIES = (1.0, 0.15, 0.55)
"""Of the first eight bars, the next and those after; all are outlined in their colour."""

_LEFT, _RIGHT, _HEAD, _BOTTOM, _PLOT = 46.0, 12.0, 22.0, 26.0, 170.0
_BAR, _GAP, _LINE, _LETTER = 15.0, 20.0, 18.0, 6.2


def bar_chart(
    title: str, groups: Sequence[str], series: Mapping[str, Sequence[Interval | None]], *, percent: bool = True, palette: Sequence[str] = ()
) -> str:
    """One group of bars for each of `groups`, one bar in it for each of `series` (name → a figure a group, None where unknown).

    A name has the colour of its place in `palette`, so that charts which lack some names agree; without one, of its place in `series`.
    """
    places = {name: number for number, name in enumerate(dict.fromkeys((*palette, *series)))}
    known = [figure for figures in series.values() for figure in figures if figure is not None and math.isfinite(figure.value)]
    highs = [figure.high if math.isfinite(figure.high) else figure.value for figure in known]
    marks = ticks(0.0, max([*highs, 1e-9]))
    wide = _BAR * len(series) + _GAP
    width = max(_LEFT + _RIGHT + wide * len(groups), 300.0)
    legend, top = _legend({name: places[name] for name in series}, width)

    def height(value: float) -> float:
        return top + _PLOT * (1 - min(max(value, 0.0), marks[-1]) / marks[-1])

    parts = [element("rect", x=0, y=0, width=width, height=top + _PLOT + _BOTTOM, fill="#ffffff")]
    for mark in marks:
        parts.append(element("line", x1=_LEFT, y1=height(mark), x2=width - _RIGHT, y2=height(mark), stroke=FAINT, stroke_width=0.7))
        parts.append(text(f"{100 * mark:g} %" if percent else f"{mark:g}", _LEFT - 6, height(mark) + 4, anchor="end"))
    for place, group in enumerate(groups):
        start = _LEFT + wide * place + _GAP / 2
        for number, (name, figures) in enumerate(series.items()):
            parts += _bar(figures[place], start + _BAR * number, height, _paint(places[name]))
        parts.append(text(group, start + _BAR * len(series) / 2, top + _PLOT + 17, anchor="middle"))
    parts += [text(title, _LEFT, 14, fill=INK, size=12), *legend]
    return drawing(width, top + _PLOT + _BOTTOM, _described(title, groups, series, percent), *parts)


def _paint(number: int) -> dict[str, Attribute]:
    """How the bars of a series look."""
    colour, opacity = _COLOURS[number % len(_COLOURS)], _OPACITIES[number // len(_COLOURS) % len(_OPACITIES)]
    return {"fill": colour, "fill_opacity": opacity, "stroke": colour, "stroke_width": 1}


def _bar(figure: Interval | None, x: float, height: Callable[[float], float], paint: Mapping[str, Attribute]) -> list[str]:
    """The bar and its whisker; a line on the floor for zero, so that it does not look unknown."""
    if figure is None or not math.isfinite(figure.value):
        return []
    top, floor = height(figure.value), height(0.0)
    parts = [element("rect", x=x + 1.5, y=min(top, floor - 1), width=_BAR - 3, height=max(floor - top, 1.0), **paint)]
    if math.isfinite(figure.low) and math.isfinite(figure.high):
        middle, low, high = x + _BAR / 2, height(figure.low), height(figure.high)
        ends = [((middle, low), (middle, high)), *(((middle - 3, y), (middle + 3, y)) for y in (low, high))]
        parts += [element("path", d=path(line), stroke=INK, stroke_width=1, fill="none") for line in ends]
    return parts


def _legend(names: Mapping[str, int], width: float) -> tuple[list[str], float]:
    """As many lines as it takes, and where they end."""
    parts, x, y = list[str](), _LEFT, _HEAD
    for name, number in names.items():
        wide = 26 + _LETTER * len(name)
        if x > _LEFT and x + wide - 13 > width:
            x, y = _LEFT, y + _LINE
        parts.append(element("rect", x=x, y=y, width=9, height=9, **_paint(number)))
        parts.append(text(name, x + 13, y + 8))
        x += wide
    return parts, y + _LINE


def _described(title: str, groups: Sequence[str], series: Mapping[str, Sequence[Interval | None]], percent: bool) -> str:
    def said(figure: Interval | None) -> str:
        if figure is None or not math.isfinite(figure.value):
            return "not known"
        return f"{100 * figure.value:.1f} %" if percent else f"{figure.value:.3g}"

    shown = ("; ".join(f"{name} {said(figures[place])}" for name, figures in series.items()) for place in range(len(groups)))
    return f"{title}. " + ". ".join(f"{group}: {part}" for group, part in zip(groups, shown, strict=True))
