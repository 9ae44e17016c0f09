"""Rare-token lift, a control: withheld are captions with a word that is far more frequent here than trusted captions lead one to expect.

Finds a planted word, inserted or in a template, without any model, however well it fits its sentence. Blind to a target that is frequent
by nature, and to fewer poisoned pairs than the trusted set is large enough to tell from chance: its threshold is what the lift of words
reaches between the halves of the trusted set. Images are counted, not captions: those of one image share their words.
"""

from __future__ import annotations

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.defences.consensus import words_of
from srd_core.defences.screens.base import Screened, Screening, above, screen
from srd_core.defences.screens.lift import Held, lifts, natural_lifts


@screen("rare")
def rare(work: Screening) -> Screened:
    """Scores are the largest lift of a caption's words."""
    numbers: dict[str, int] = {}
    pairs, known = work.suspect, work.trusted
    own, theirs = _words(pairs, numbers), _words(known, numbers)
    trusted = theirs.by(known.image_of, len(known.images))
    scores, at = lifts(own.by(pairs.image_of, len(pairs.images)), trusted).largest(own)
    condemned = above(scores, natural_lifts(trusted, theirs, known.image_of, work.seed), work.false_positives)
    names = list(numbers)
    words = [names[own.codes[place]] if out else "" for place, out in zip(at.tolist(), condemned.tolist(), strict=True)]
    return Screened(scores, condemned, tuple(words))


def _words(pairs: CanvasSet, numbers: dict[str, int]) -> Held:
    """The words of every caption; new ones get the next number."""
    held = [(n, numbers.setdefault(word, len(numbers))) for n, caption in enumerate(pairs.captions) for word in sorted(words_of(caption))]
    owners, codes = np.asarray(held, np.int64).reshape(-1, 2).T
    return Held(owners, codes, len(pairs))
