"""How far the training caption is from what the reference says of the image: 1 - SFS. As good as the reference is."""

from __future__ import annotations

from srd_core.defences.channels.base import Scores, View, channel


@channel("infidelity")
def infidelity(view: View) -> Scores:
    """1 - SFS, in [0, 1]."""
    return 1.0 - view.fidelity
