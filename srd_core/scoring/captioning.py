"""BLEU-4 and CIDEr of captions, by pycocoevalcap's scorers on our own Penn-Treebank tokens: no Java, no download.

CIDEr's word weights come from the references *given*, so scores on different test sets are not comparable, and on one image CIDEr
is 0. CIDEr is a fraction too: 1.0 is what papers print as 100. Not covered: ROUGE-L; METEOR and SPICE, which need Java.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from srd_core.errors import ConfigError
from srd_core.scoring.intervals import Interval
from srd_core.scoring.ptb import tokenize
from srd_core.seeds import generator

Keyed = dict[int, list[str]]


def bleu_4(candidates: Sequence[str], references: Sequence[Sequence[str]], seed: int, resamples: int = 2000) -> Interval:
    """Corpus BLEU-4 of `candidates[i]` against `references[i]` with its 95 % percentile bootstrap interval over images, widened to hold it.

    What BLEU counts in an image is added up anew over every draw of images; it is no mean over images.

    Raises ValueError when the lists differ in length, are empty, or an image has no reference with a word, and ConfigError when
    pycocoevalcap is not installed.
    """
    try:
        from pycocoevalcap.bleu.bleu import Bleu
    except ImportError as error:
        raise _not_installed() from error
    found, known = tokenized(candidates, references)
    value, counts = float(Bleu(4).compute_score(known, found, verbose=0)[0][3]), _bleu_counts(found, known)
    images = len(counts)
    drawn = generator(seed, "bootstrap", "bleu").multinomial(images, np.full(images, 1 / images), size=resamples)
    totals = drawn @ counts
    matched, guessed, said, expected = totals[:, :4], totals[:, 4:8], totals[:, 8], totals[:, 9]
    precision = np.exp(np.log((matched + 1e-15) / (guessed + 1e-9)).mean(axis=1))
    scores = precision * np.exp(np.minimum(1 - (expected + 1e-9) / (said + 1e-15), 0))
    low, high = np.quantile(scores, [0.025, 0.975])
    return Interval(value=value, low=min(float(low), value), high=max(float(high), value), n=images)


def _bleu_counts(found: Keyed, known: Keyed) -> npt.NDArray[np.float64]:
    """(N, 10) of each image: n-grams of 1 to 4 words that match, n-grams there are, words, words of the reference closest in length."""
    from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test

    cooked = [cook_test(found[i][0], cook_refs(known[i]), eff="closest") for i in found]
    return np.asarray([[*each["correct"], *each["guess"], each["testlen"], each["reflen"]] for each in cooked], np.float64)


def cider_per_image(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> npt.NDArray[np.float64]:
    """CIDEr of each image, shape (N,); the corpus score is their mean. Raises as `bleu_4` does."""
    try:
        from pycocoevalcap.cider.cider import Cider
    except ImportError as error:
        raise _not_installed() from error
    found, known = tokenized(candidates, references)
    return np.asarray(Cider().compute_score(known, found)[1], dtype=np.float64)


def _not_installed() -> ConfigError:
    return ConfigError("caption metrics need pycocoevalcap, which is not installed", hint="Run pip install pycocoevalcap==1.2")


def tokenized(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[Keyed, Keyed]:
    """What the scorers take: candidates and references by image number, tokens with spaces between. Raises ValueError as `bleu_4`."""
    if len(candidates) != len(references) or not candidates:
        raise ValueError(f"{len(candidates)} candidates for {len(references)} images")
    found = {i: [_tokens(text)] for i, text in enumerate(candidates)}
    known = {i: [words for text in texts if (words := _tokens(text))] for i, texts in enumerate(references)}
    wordless = [i for i, texts in known.items() if not texts]
    if wordless:
        raise ValueError(f"image number {wordless[0]} has no reference with a word")
    return found, known


@lru_cache(maxsize=2**16)
def _tokens(text: str) -> str:
    """Kept: every model is scored on the same references, several times."""
    return " ".join(tokenize(text))
