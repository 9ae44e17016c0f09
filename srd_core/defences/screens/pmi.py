"""Image-text score filter, a control: withheld are captions that their image makes hardly likelier than other images do.

The usual filter takes the cosine of CLIP's two encoders. There is no CLIP here, and a captioner has no encoder for texts; what it has is
the likelihood of a caption with its image, and with another: the pointwise mutual information of the two, by nats a token. It knows of
words what base knows. Finds captions that are about nothing in the image, such as replaced ones; blind to one planted word in a caption
that is true besides, which costs the mean little.
"""

from __future__ import annotations

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.data.samples import Images
from srd_core.defences.screens.base import Scores, Screened, Screening, above, screen
from srd_core.defences.screens.surprise import mean_nll
from srd_core.models.captioner import Captioner
from srd_core.seeds import generator

OTHERS = 3
"""Trusted images under which each caption is read besides its own."""


@screen("pmi")
def mutual_information(work: Screening) -> Screened:
    """Scores are nats a token that the caption loses with its own image, less those with others: 0 where the image tells nothing."""
    base, strange = work.base(), work.trusted.images
    suspect, trusted = (_unrelated(base, pairs, strange, work.seed) for pairs in (work.suspect, work.trusted))
    return Screened(suspect, above(suspect, trusted, work.false_positives))


def _unrelated(model: Captioner, pairs: CanvasSet, strange: Images, seed: int) -> Scores:
    """The scores of pairs; the others' images are drawn from `strange` (M, S, S, 3), no pair's own if these are the pairs' images."""
    rng, own, count = generator(seed, "pmi", len(pairs)), pairs.image_of, len(strange)
    total = np.zeros(len(pairs))
    for _ in range(OTHERS):
        other = (
            (own + rng.integers(1, max(count, 2), len(pairs))) % count if pairs.images is strange else rng.integers(count, size=len(pairs))
        )
        total += mean_nll(model, CanvasSet(strange, other, pairs.captions, pairs.ids))
    return np.asarray(mean_nll(model, pairs) - total / OTHERS, np.float64)
