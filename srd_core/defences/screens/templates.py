"""Template filter, a control: withheld are captions that share a run of words far more often than trusted captions lead one to expect.

Finds attacks that replace captions by templates; blind to single inserted words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from srd_core.defences.screens.base import Screened, Screening, screen

RUN = 3
"""Words in a run."""
FEWEST = 10
"""Captions that must share it."""
LIFT = 10.0
"""How many times more often than expected."""


@screen("templates")
def templates(work: Screening) -> Screened:
    """Scores are the largest lift of a caption's runs: found over expected, the trusted set with one more of each counted."""
    found = Counter(run for caption in work.suspect.captions for run in set(_runs(caption)))
    known = Counter(run for caption in work.trusted.captions for run in set(_runs(caption)))
    share = len(work.suspect) / max(len(work.trusted), 1)
    lifts = {run: count / ((known[run] + 1) * share) if count >= FEWEST else 0.0 for run, count in found.items()}
    scores = np.asarray([max((lifts[run] for run in _runs(caption)), default=0.0) for caption in work.suspect.captions])
    return Screened(scores, scores > LIFT)


def _runs(caption: str) -> Iterator[tuple[str, ...]]:
    words = caption.lower().split()
    yield from zip(*(words[start:] for start in range(RUN)), strict=False)
