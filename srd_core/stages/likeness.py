"""Whether a suspect set is like the trusted one, by base's surprise at the captions that evidence has left alone."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable

import numpy as np

from srd_core.data.decisions import Decision
from srd_core.defences.calibration import SURPRISE, Calibration
from srd_core.scoring.distance import beyond_chance, distance, independent

_PREFIX = 16
"""Hex digits of a digest by which images are told apart here."""


def likeness(rows: Iterable[Decision], known: Calibration) -> tuple[float | None, bool]:
    """How far the pairs that evidence has left alone are from the trusted ones, and whether that is beyond chance.

    None where it has looked at none. Captions of one image, whichever samples they are in, go together as much as those of the trusted
    set do: a set with one caption an image would not tell.
    """
    seen, images = array("d"), array("Q")
    for row in rows:
        if row.action == "keep" and row.score_nll_mean is not None:
            seen.append(row.score_nll_mean)
            images.append(int(row.image_sha256_before[:_PREFIX], 16))
    far = distance(seen, known.clean.get(SURPRISE, ()))
    if math.isnan(far):
        return None, False
    sizes = np.unique(np.frombuffer(images, np.uint64), return_counts=True)[1]
    return round(far, 4), beyond_chance(far, independent(sizes, known.together), known.independent)
