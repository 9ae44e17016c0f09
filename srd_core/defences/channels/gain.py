"""What the policy expects to win by masking the image. Informative where the trigger is local and looks like something to mask."""

from __future__ import annotations

import numpy as np

from srd_core.defences.channels.base import Scores, View, channel
from srd_core.errors import ConfigError


@channel("q_gain", asks_policy=True)
def q_gain(view: View) -> Scores:
    """Value of the best mask over that of none, in units of reward; the same for all captions of an image."""
    if view.choices is None:
        raise ConfigError("the evidence channel q_gain asks a policy, and there is none", hint="Leave it out of evidence.channels")
    return np.asarray([choice.q_gain for choice in view.choices])[view.owners]
