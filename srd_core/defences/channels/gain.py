"""What the policy expects to win by masking the image. Informative where the trigger is local and looks like something to mask."""

from __future__ import annotations

import numpy as np

from srd_core.defences.channels.base import Scores, View, channel


@channel("q_gain")
def q_gain(view: View) -> Scores:
    """Value of the best mask over that of none, in units of reward; the same for all captions of an image."""
    return np.asarray([choice.q_gain for choice in view.choices])[view.owners]
