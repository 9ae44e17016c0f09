"""One figure from several seeds: the mean with its 95 % t-interval; with one seed, that seed's own interval.

Intervals end where the figure does: at 0 and 1, or at 0. Those of shares are never narrower than that of all seeds' images together, and
those of AUROC, average precision and F1 than the seeds' own make it: three times 0 of 200 is not certainty. Seeds on the same images are
no surer of them together than one is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from srd_core.scoring.intervals import Interval, across_seeds, wilson, wilson_of

_DECIDED = ("precision", "recall", "recall_at_half_percent", "recall_at_one_percent", "kept_clean")
_QUALITY = ("bleu_4", "bleu_4_triggered", "sc", "lf", "sfs", "sc_clean", "lf_clean", "sfs_clean")
SHARES = frozenset(("asr", "asr_source", "asr_raw", "asr_template", "false_trigger", "coverage", *_DECIDED))
"""Figures that are shares of images or pairs, each seed's with its number of them."""
_AREAS = frozenset(("auroc", "average_precision", "f1"))
"""Figures of pairs that are no shares, each seed's with an interval of its own."""
_PARTS = frozenset((*_QUALITY, *_AREAS, "asr_g", "distance", "hidden", "iou"))
"""Other figures between 0 and 1."""

Value = Mapping[str, Any] | float | None
"""A figure as `scores.json` holds it: an interval, a number, or nothing."""


def combined(values: Sequence[Value], figure: str, *, same_images: bool = False) -> Interval | None:
    """What the seeds say together of the figure of that name; None when none has it, or when one of them does not know it.

    `same_images`: the seeds are of the same images.
    """
    known = [value for value in values if value is not None]
    plain = [value["value"] if isinstance(value, Mapping) else value for value in known]
    if not known or any(value is None for value in plain):
        return None
    if len(known) == 1:
        only = known[0]
        return Interval.model_validate(only) if isinstance(only, Mapping) else across_seeds(plain)
    spread, most = across_seeds(plain), 1.0 if figure in SHARES | _PARTS else math.inf
    own = [value for value in known if isinstance(value, Mapping)]
    if figure in SHARES:
        spread = _widened(spread, pooled(own, same_images))
    elif figure in _AREAS and (bounded := [Interval.model_validate(value) for value in own if value["low"] is not None]):
        spread = _widened(spread, mean_of(bounded, same_images))
    return spread.model_copy(update={"low": max(spread.low, 0.0), "high": min(spread.high, most)})


def _widened(spread: Interval, least: Interval) -> Interval:
    """The spread over seeds, made no surer than `least`."""
    return Interval(value=spread.value, low=min(spread.low, least.low), high=max(spread.high, least.high), n=least.n)


def pooled(seeds: Sequence[Mapping[str, Any]], same_images: bool) -> Interval:
    """A share of all seeds' images, with Wilson's interval; of the same ones, that of the seed with most."""
    if same_images and seeds:
        return wilson_of(fmean(seed["value"] for seed in seeds), max(seed["n"] for seed in seeds))
    return wilson(round(sum(seed["value"] * seed["n"] for seed in seeds)), sum(seed["n"] for seed in seeds))


def mean_of(seeds: Sequence[Interval], same_images: bool) -> Interval:
    """The seeds' mean, with the interval that their own make (Zou and Donner, 2008); of the same images they err together."""
    value, ends = fmean(seed.value for seed in seeds), [(seed.value - seed.low, seed.high - seed.value) for seed in seeds]
    below, above = (fmean(side) if same_images else math.hypot(*side) / len(seeds) for side in zip(*ends, strict=True))
    images = [seed.n for seed in seeds]
    return Interval(value=value, low=value - below, high=value + above, n=max(images) if same_images else sum(images))


def told(figure: Interval | None, *, scale: float = 1.0, digits: int = 3, unit: str = "") -> str:
    """`value [low, high]`, the value alone where there is no interval, a dash where there is nothing."""
    if figure is None or math.isnan(figure.value):
        return "–"
    value, low, high = (f"{scale * part:.{digits}f}" for part in (figure.value, figure.low, figure.high))
    return f"{value}{unit}" if math.isnan(figure.low) else f"{value}{unit} [{low}, {high}]"


def fewer(known: int, most: int) -> str:
    """What stands behind a figure that fewer seeds have than others."""
    return f" ({known} seed{'s' if known > 1 else ''})" if known < most else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
