"""How surprised the base model is by the training caption: on the whole, and at its worst word.

A replaced caption is surprising throughout; one inserted word hides in the mean and shows in the largest. Blind to captions that fit.
"""

from __future__ import annotations

import numpy as np

from srd_core.defences.channels.base import Scores, View, channel


@channel("nll_mean")
def nll_mean(view: View) -> Scores:
    """Nats per token."""
    return np.asarray([loss.mean for loss in view.losses])


@channel("nll_max")
def nll_max(view: View) -> Scores:
    """Nats of the most surprising word."""
    return np.asarray([loss.largest for loss in view.losses])
