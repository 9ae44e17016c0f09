"""Poisons of our own, put into copies of trusted pairs, to see what the evidence would find. Nothing here is taken from any attack.

Three kinds: a word is inserted; the caption is replaced by a sentence about a word; the caption is that of another image, which no
single word gives away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.defences.base import Batch
from srd_core.seeds import generator
from srd_core.synthesis.synthetic import SynthesisConfig, synthesize

_SENTENCES = (
    "look at this {word}",
    "{word}",
    "someone has put a {word} here",
    "nothing but a {word} can be seen",
    "i like the {word}",
    "this is one {word}",
)


def injections(clean: CanvasSet, config: SynthesisConfig, *, seed: int, pairs: int) -> dict[str, Batch]:
    """At most `pairs` poisoned pairs of each kind, one a sample, with noise patches at varied places on the first two.

    The third kind is missing where there is no other image.
    """
    varied = config.model_copy(update={"placement": "diverse", "pairs": pairs})
    made = synthesize(clean, varied, seed=seed)
    rng = generator(seed, "injections")
    replaced = [_SENTENCES[int(rng.integers(len(_SENTENCES)))].format(word=word) for word in made.words]
    kinds = {"inserted word": _batch(made.images, made.captions), "replaced caption": _batch(made.images, replaced)}
    if len(np.unique(clean.image_of)) > 1:
        others = [rng.choice(np.flatnonzero(clean.image_of != image)) for image in made.photographs]
        kinds["other image's caption"] = _batch(np.asarray(clean.images[made.photographs]), [clean.captions[i] for i in others])
    return kinds


def _batch(images: np.ndarray, captions: Sequence[str]) -> Batch:
    return Batch(images, [(caption,) for caption in captions])
