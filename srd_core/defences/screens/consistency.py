"""VDC (Zhu et al., 2024) without a language model: is each thing that the caption names in the image?

The original has a language model ask yes-or-no questions and a vision-language model answer them. Here every content word is a question,
and the base model answers it: yes, unless it finds the word more surprising than `_NO` of the trusted content words are. `vdc` withholds
captions of which fewer than half the answers are yes, as published; `vdc-min` those with one word that hardly any trusted caption holds.
"""

from __future__ import annotations

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.base import Scores, Screened, Screening, above, screen
from srd_core.models.captioner import Captioner
from srd_core.scoring.words import FUNCTION_WORDS

_BATCH = 256
_NO = 0.05
"""Share of the trusted words that are answered with no."""
_HALF = 0.5


@screen("vdc")
def consistency(work: Screening) -> Screened:
    """Scores are the shares of questions answered with no."""
    base = work.base()
    trusted = np.concatenate(_answers(base, work.trusted) or [np.zeros(0)])
    limit = float(np.quantile(trusted, 1 - _NO)) if len(trusted) else np.inf
    scores = np.asarray([float((own > limit).mean()) if len(own) else 0.0 for own in _answers(base, work.suspect)])
    return Screened(scores, scores > _HALF)


@screen("vdc-min")
def worst_answer(work: Screening) -> Screened:
    """Scores are the nats of the most surprising content word."""
    base = work.base()
    suspect, trusted = (_largest(_answers(base, pairs)) for pairs in (work.suspect, work.trusted))
    return Screened(suspect, above(suspect, trusted, work.false_positives))


def _largest(answers: list[Scores]) -> Scores:
    return np.asarray([float(own.max()) if len(own) else 0.0 for own in answers])


def _answers(model: Captioner, pairs: CanvasSet) -> list[Scores]:
    """Nats of the content words of every caption."""
    return [
        np.asarray([nats for word, nats in zip(loss.words, loss.nll.tolist(), strict=True) if word.lower() not in FUNCTION_WORDS])
        for images, captions, _ in pairs.batches(_BATCH)
        for loss in model.word_loss(images, captions)
    ]
