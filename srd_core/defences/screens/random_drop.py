"""A control: a fifth of the pairs is withheld, whichever they are. What a defence gains by training on less shows here."""

from __future__ import annotations

import numpy as np

from srd_core.defences.screens.base import Screened, Screening, screen
from srd_core.seeds import generator

SHARE = 0.2


@screen("drop")
def random_drop(work: Screening) -> Screened:
    """Scores are random, in [0, 1)."""
    scores = generator(work.seed, "drop").random(len(work.suspect))
    condemned = np.zeros(len(scores), bool)
    condemned[np.argsort(-scores, kind="stable")[: round(SHARE * len(scores))]] = True
    return Screened(scores, condemned)
