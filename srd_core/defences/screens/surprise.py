"""Base-NLL filter, a control: withheld is what surprises the base model more, a token, than almost every trusted caption does."""

from __future__ import annotations

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.base import Scores, Screened, Screening, above, screen
from srd_core.models.captioner import Captioner

_BATCH = 256


@screen("nll")
def surprise(work: Screening) -> Screened:
    """Scores are nats a token."""
    base = work.base()
    scores = mean_nll(base, work.suspect)
    return Screened(scores, above(scores, mean_nll(base, work.trusted), work.false_positives))


def word_nll(model: Captioner, pairs: CanvasSet) -> list[Scores]:
    """Nats of every word of every pair's caption."""
    losses = (loss for images, captions, _ in pairs.batches(_BATCH) for loss in model.word_loss(images, captions))
    return [np.asarray(loss.nll, np.float64) for loss in losses]


def mean_nll(model: Captioner, pairs: CanvasSet) -> Scores:
    """Nats a token of every pair's caption."""
    losses = [loss.mean for images, captions, _ in pairs.batches(_BATCH) for loss in model.word_loss(images, captions)]
    return np.asarray(losses, np.float64)
