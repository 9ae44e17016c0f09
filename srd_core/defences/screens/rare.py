"""Rare-token lift, a control: withheld are captions with a word that is far more frequent here than trusted captions lead one to expect.

Finds a planted word, inserted or in a template, without any model, however well it fits its sentence. Blind to a target that is frequent
by nature, and to fewer poisoned pairs than the trusted set is large enough to tell from chance: its threshold is what the lift of words
reaches between the halves of the trusted set.
"""

from __future__ import annotations

from srd_core.defences.consensus import words_of
from srd_core.defences.screens.base import Screened, Screening, screen
from srd_core.defences.screens.lift import over_captions


@screen("rare")
def rare(work: Screening) -> Screened:
    """Scores are the largest lift of a caption's words."""
    return over_captions(work, words_of)
