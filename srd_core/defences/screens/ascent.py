"""ABL (Li et al., 2021) for captions: pairs that are learned suspiciously fast are isolated.

Local gradient ascent keeps losses from falling below a floor, above which clean captions stay and which poisoned ones cross first. The
original's floor of 0.5 is for classes; here it is the tenth percentile of the losses after a warm-up of a fifth of the steps. The original
starts from nothing and isolates the 1 % of lowest loss. A base model knows clean captions before it starts, so what is learned fast is
what falls furthest from its loss: that 1 % is isolated here. (By loss alone, 40 % of it was poison with BadNet on scenes, by chance 10 %.)
A caption that surprises base can fall far, so part of what this finds is what `nll` finds.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.base import Screened, Screening, screen
from srd_core.defences.screens.surprise import mean_nll
from srd_core.models.objectives.captioning import Captioning, Rows
from srd_core.models.text import caption_losses
from srd_core.seeds import derive

WARM_UP, AFTER = 0.2, 0.4
"""Shares of the schedule: plain learning, then local ascent."""
FLOOR = 10.0
"""Percentile of the losses after the warm-up."""
ISOLATED = 0.01


@screen("abl")
def isolation(work: Screening) -> Screened:
    """Scores are nats a token that the loss fell from base's."""
    model, epochs = work.base(), work.schedule.epochs
    before = mean_nll(model, work.suspect)
    model.fit(work.suspect, work.schedule.model_copy(update={"epochs": WARM_UP * epochs}), seed=derive(work.seed, "abl", "warm-up"))
    floor = float(np.percentile(mean_nll(model, work.suspect), FLOOR))
    ascent = LocalAscent(model.objective(work.suspect), floor)
    model.fit_to(ascent, work.schedule.model_copy(update={"epochs": AFTER * epochs}), seed=derive(work.seed, "abl", "ascent"))
    scores = before - mean_nll(model, work.suspect)
    condemned = np.zeros(len(scores), bool)
    condemned[np.argsort(-scores, kind="stable")[: max(round(ISOLATED * len(scores)), 1)]] = True
    return Screened(scores, condemned)


class LocalAscent:
    """An `Objective`: sign(l - floor) l for the loss l of every pair."""

    def __init__(self, captions: Captioning, floor: float) -> None:
        self._captions, self._floor = captions, floor

    @property
    def pairs(self) -> CanvasSet:
        """The suspect pairs."""
        return self._captions.pairs

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        reading = self._captions.read(batch)
        losses = caption_losses(reading.logits, reading.text.labels)
        return ((losses.detach() - self._floor).sign() * losses).mean()
