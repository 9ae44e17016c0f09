"""Confusion training (Qi et al., 2023) for captions: while clean images get wrong captions, only what a trigger says is still learned.

Rounds of: fine-tune on what is left of the suspect set; confuse a copy, with trusted images under captions of others, drawn anew in each
step, and now and then a batch of the suspect ones; keep the part of the whole set whose loss has fallen furthest. In the end a mixture of
two normal distributions is fitted to all the falls; condemned is the one that fell further, if there are two. The shares, the weights and
the number of rounds are the original's. It has classes instead of captions, plain gradient descent, a likelihood ratio class by class on
features, and losses as they are: here they are taken from base's, which knows clean captions before it starts (as they are, 3 % of what
was condemned was poison, with BadNet on scenes). A caption that surprises base can fall far, so part of what this finds is what `nll`
finds.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from torch import Tensor

from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.base import Scores, Screened, Screening, screen
from srd_core.defences.screens.surprise import mean_nll
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.objectives.captioning import Captioning, Rows
from srd_core.seeds import derive, generator

ROUNDS = ((1.0, 20.0), (1 / 2, 20.0), (1 / 5, 20.0), (1 / 25, 30.0), (1 / 50, 30.0), (1 / 100, 15.0))
"""Share of the suspect pairs that each round inspects, and how much more confusion weighs."""
LEARNING, CONFUSION = 0.15, 6.0
"""Of the schedule's epochs over what is inspected, at the first round; passes over the trusted pairs in each."""
FEWEST = 4
"""Batches of inspected pairs; a smaller share is not taken."""
BETTER = 10.0
"""By how much two distributions must beat one (BIC) to be two."""


@screen("ct")
def confusion(work: Screening) -> Screened:
    """Scores are nats a token that the loss fell from base's until after the last round."""
    model = work.base()
    before, falls = mean_nll(model, work.suspect), np.zeros(len(work.suspect))
    for number, (share, weight) in enumerate(ROUNDS):
        count = round(share * len(work.suspect))
        if count < FEWEST * work.schedule.batch_size and number:
            break
        inspected = work.suspect.take(np.argsort(-falls, kind="stable")[:count])
        falls = before - mean_nll(_round(model, work, inspected, weight, number), work.suspect)
    return Screened(falls, lower_of_two(-falls, derive(work.seed, "ct", "mixture")))


def _round(model: FlamingoCaptioner, work: Screening, inspected: CanvasSet, weight: float, number: int) -> FlamingoCaptioner:
    """`model` learns from what is inspected for as many steps as in the first round, but for five times its epochs at most; a copy of it,
    confused, is returned.
    """
    seed = derive(work.seed, "ct", number)
    epochs = LEARNING * work.schedule.epochs * min(len(work.suspect) / len(inspected), 5.0)
    model.fit(inspected, work.schedule.model_copy(update={"epochs": epochs}), seed=seed)
    confused = deepcopy(model)
    wrong = Confusion(confused.objective(work.trusted), confused.objective(inspected), weight, work.schedule.batch_size, seed)
    slow = {"epochs": CONFUSION, "learning_rate": work.schedule.learning_rate / 3}
    confused.fit_to(wrong, work.schedule.model_copy(update=slow), seed=seed)
    return confused


class Confusion:
    """An `Objective`: captions of other images for the trusted ones, and in every second step a batch that is inspected, as it is."""

    def __init__(self, trusted: Captioning, inspected: Captioning, weight: float, batch: int, seed: int) -> None:
        self._trusted, self._inspected, self._weight, self._batch = trusted, inspected, weight, batch
        self._rng, self._steps = generator(seed, "confusion"), 0

    @property
    def pairs(self) -> CanvasSet:
        """The trusted pairs."""
        return self._trusted.pairs

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        self._steps += 1
        wrong = self._confused(batch).loss(np.arange(len(batch)))
        if self._steps % 2:
            return wrong
        rows = self._rng.choice(len(self._inspected.pairs), min(self._batch, len(self._inspected.pairs)), replace=False)
        return ((self._weight - 1) * wrong + self._inspected.loss(rows)) / self._weight

    def _confused(self, batch: Rows) -> Captioning:
        """These images under captions of others."""
        pairs, count = self.pairs, len(self.pairs)
        others = self._rng.integers(count, size=len(batch))
        same = pairs.image_of[others] == pairs.image_of[batch]
        others[same] = (others[same] + count // 2) % count
        shown = pairs.take(batch)
        wrong = CanvasSet(shown.images, shown.image_of, [pairs.captions[other] for other in others], shown.ids)
        return Captioning(self._trusted.network, self._trusted.tokenizer, self._trusted.prompt, wrong)


def lower_of_two(losses: Scores, seed: int) -> np.ndarray:
    """Which losses belong to the lower of two normal distributions, (P,) bool; none if one describes them about as well."""
    if len(losses) < 2:
        return np.zeros(len(losses), bool)
    from sklearn.mixture import GaussianMixture

    column = losses[:, None]
    one, two = (GaussianMixture(parts, random_state=seed % 2**31, n_init=3).fit(column) for parts in (1, 2))
    if one.bic(column) - two.bic(column) < BETTER:
        return np.zeros(len(losses), bool)
    low = int(np.argmin(two.means_[:, 0]))
    return np.asarray((two.predict(column) == low) & (losses < two.means_[1 - low, 0]))
