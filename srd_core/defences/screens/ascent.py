"""ABL (Li et al., 2021) for captions: pairs that are learned suspiciously fast are isolated.

Local gradient ascent keeps losses from falling below a floor, above which clean captions stay and which poisoned ones cross first. The
original's floor of 0.5 is for classes; here it is the tenth percentile of the losses after a warm-up of a fifth of the steps. The original
starts from nothing and isolates the 1 % of lowest loss. A base model knows clean captions before it starts, so what is learned fast is
what falls furthest from its loss: that 1 % is isolated here. (By loss alone, 40 % of it was poison with BadNet on scenes, by chance 10 %.)
A caption that surprises base can fall far, so part of what this finds is what `nll` finds.

`abl` isolates 1 % as published, `abl-5` more, `abl-oracle` as many as are poisoned, which it has to be told. `abl-max` goes by the word
whose loss fell furthest: the mean over a caption hides one planted word.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.base import Scores, Screened, Screening, screen
from srd_core.defences.screens.surprise import mean_nll, word_nll
from srd_core.errors import ConfigError
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.objectives.captioning import Captioning, Rows
from srd_core.models.text import caption_losses
from srd_core.seeds import derive

WARM_UP, AFTER = 0.2, 0.4
"""Shares of the schedule: plain learning, then local ascent."""
FLOOR = 10.0
"""Percentile of the losses after the warm-up."""
ISOLATED, ISOLATED_MORE = 0.01, 0.05
"""Shares of the pairs."""
ISOLATING = frozenset(("abl", "abl-5", "abl-max", "abl-oracle"))
"""All of them: what each withholds is unlearned in P2."""


@screen("abl")
def isolation(work: Screening) -> Screened:
    """Scores are nats a token that the loss fell from base's."""
    return _isolated(_falls(work), ISOLATED)


@screen("abl-5")
def wide_isolation(work: Screening) -> Screened:
    """As `abl`, but 5 % are isolated."""
    return _isolated(_falls(work), ISOLATED_MORE)


@screen("abl-oracle")
def told_isolation(work: Screening) -> Screened:
    """As `abl`, but as many are isolated as are poisoned: a bound, since no defender knows how many.

    Raises:
        ConfigError: as `told_rate`.
    """
    rate = told_rate(work.poison_rate)
    return _isolated(_falls(work), rate)


def told_rate(rate: float | None) -> float:
    """The share of the suspect pairs that is poisoned, where `abl-oracle` has been told it.

    Raises:
        ConfigError: it has not.
    """
    if rate is None:
        raise ConfigError(
            "abl-oracle isolates as many pairs as are poisoned, and was not told how many",
            hint="It is a control for `srd bench`; set oracle.poison_rate to use it elsewhere",
        )
    return rate


@screen("abl-max")
def isolation_by_word(work: Screening) -> Screened:
    """As `abl`, but scores are the nats that the loss of one word fell, the one that fell most: one planted word is enough."""
    base, model = work.base(), _tuned(work)
    before, after = (word_nll(each, work.suspect) for each in (base, model))
    falls = [old - new for old, new in zip(before, after, strict=True)]
    return _isolated(np.asarray([float(fall.max()) if len(fall) else 0.0 for fall in falls]), ISOLATED)


def _falls(work: Screening) -> Scores:
    return mean_nll(work.base(), work.suspect) - mean_nll(_tuned(work), work.suspect)


def _tuned(work: Screening) -> FlamingoCaptioner:
    """A base model after plain learning, then local ascent."""
    model, epochs = work.base(), work.schedule.epochs
    model.fit(work.suspect, work.schedule.model_copy(update={"epochs": WARM_UP * epochs}), seed=derive(work.seed, "abl", "warm-up"))
    floor = float(np.percentile(mean_nll(model, work.suspect), FLOOR))
    ascent = LocalAscent(model.objective(work.suspect), floor)
    model.fit_to(ascent, work.schedule.model_copy(update={"epochs": AFTER * epochs}), seed=derive(work.seed, "abl", "ascent"))
    return model


def _isolated(scores: Scores, share: float) -> Screened:
    """The share of the pairs with the highest scores, at least one unless it is 0."""
    condemned = np.zeros(len(scores), bool)
    condemned[np.argsort(-scores, kind="stable")[: max(round(share * len(scores)), min(1, math.ceil(share)))]] = True
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
