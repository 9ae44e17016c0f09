"""ABL's second half (Li et al., 2021): what was isolated is unlearned by ascent while the rest is learned as usual.

L = LM of kept pairs - mean over isolated pairs of min(l, ceiling) for the loss l of each. Above the ceiling, which is how badly a clean
caption may fit, a pair is forgotten and pulls no longer: ascent without an end would ruin the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from srd_core.data.canvas import CanvasSet
from srd_core.models.objectives.captioning import Captioning, Rows
from srd_core.models.text import caption_losses

SHARE = 0.25
"""Isolated pairs in a step, of the kept ones."""


@dataclass(frozen=True)
class Unlearning:
    """See the module.

    Args:
        kept: what is learned.
        isolated: what is unlearned, at least one pair; the same network.
        ceiling: nats a token.
        rng: draws the isolated pairs of each step; used up as training goes on.
    """

    kept: Captioning
    isolated: Captioning
    ceiling: float
    rng: np.random.Generator

    @property
    def pairs(self) -> CanvasSet:
        """The kept ones: an epoch is one pass over them."""
        return self.kept.pairs

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        count = min(len(self.isolated.pairs), max(round(SHARE * len(batch)), 1))
        reading = self.isolated.read(self.rng.choice(len(self.isolated.pairs), count, replace=False))
        return self.kept.loss(batch) - caption_losses(reading.logits, reading.text.labels).clamp_max(self.ceiling).mean()
