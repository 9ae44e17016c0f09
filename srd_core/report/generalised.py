"""How far an attack generalises (arXiv 2406.18844): `asr_g` is ASR as a share, at most 1, of `asr_source`.

That is the success where nothing is shifted, the attacker's data or the test images: of the undefended P1 model of the column's source
variant, same victim, attack, rate and seed, on the first test set. So a model tested on shifted images, or on another domain, is measured
by what the attack does at home, and so is a defended one. An attack that does not work at home with every seed has none: a share of next
to nothing says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from srd_core.report.over_seeds import pooled
from srd_core.scoring.intervals import Interval

OF_SOURCE, SOURCE = "asr_g", "asr_source"
WORKS = 0.5
"""Least ASR at home of an attack that works."""

Row = Mapping[str, Any]
Success = Mapping[str, Any]
"""An ASR as `scores.json` holds it."""
Home = tuple[Any, ...]
"""Seed, attack, rate and variant."""


def sources(cells: Sequence[Mapping[str, Any]]) -> dict[Home, Success]:
    """Attack success at home."""
    found: dict[Home, Success] = {}
    for cell in cells:
        about, models = cell["settings"]["experiment"], cell["scores"]["models"]
        home = next((row["domain"] for row in models), None)
        for row in models:
            if (row["arm"], row["protocol"], row["domain"]) == ("none", "p1", home) and _known(row.get("asr")):
                found[about["seed"], about["attack"], float(about["rate"]), cell["settings"]["variant"]] = row["asr"]
    return found


def generalised(success: Success | None, source: Success | None) -> dict[str, Any]:
    """Figures of a row: `asr_source`, and `asr_g` where both are known and the attack works."""
    share = None
    if source and success and _known(success) and source["value"] >= WORKS:
        share = min(success["value"] / source["value"], 1.0)
    return {SOURCE: source, OF_SOURCE: share}


def not_too_sure(spread: Interval, rows: Sequence[Row], same_images: bool) -> Interval:
    """The spread of `asr_g` over the seeds' rows, no narrower than the interval of their pooled success, as a share of the source.

    The source is taken as it is, without an interval of its own, and the share ends at 1: of an interval above it nothing is left.
    """
    success = pooled([row["asr"] for row in rows], same_images)
    whole = sum(row[SOURCE]["value"] for row in rows) / len(rows)
    low, high = (min(bound / whole, 1.0) for bound in (success.low, success.high))
    least = spread.value if math.isnan(spread.low) else spread.low
    most = spread.value if math.isnan(spread.high) else spread.high
    return Interval(value=spread.value, low=min(least, low), high=max(most, high), n=success.n)


def _known(success: Success | None) -> bool:
    return success is not None and success.get("value") is not None
