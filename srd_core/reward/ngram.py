"""The fluency model that needs nothing from outside: an n-gram model fitted on trusted captions.

Text is lower-cased words; punctuation is left out, so that a final full stop is neither fluent nor not. Words never seen become
<unk>, whose probability is its share of the smoothing. Saved as gzip JSON with deterministic bytes.
Not covered: grammar beyond `order` words, and any language without spaces.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srd_core.errors import ConfigError
from srd_core.reward.kneser_ney import END, UNKNOWN, KneserNey, raw_counts
from srd_core.reward.memo import Memo
from srd_core.scoring.words import spoken_words

FORMAT = "srd-ngram-1"
MAX_WORDS = 512
"""Words of one text that are read; a longer one is not a caption."""

_SPECIAL = ("<s>", "</s>", "<unk>")


def first_words(text: str) -> list[str]:
    """Lower-cased words of `text`, at most MAX_WORDS."""
    return spoken_words(text)[:MAX_WORDS]


class NgramFluency:
    """Interpolated Kneser-Ney perplexity. Fit it, or load it; asking before that is a ConfigError."""

    def __init__(self, order: int = 3, *, remember: int = 200_000) -> None:
        if not 2 <= order <= 6:
            raise ConfigError(f"n-gram order is {order}, outside 2 to 6", hint="3 suits a few thousand captions")
        self.order = order
        self._remember = remember
        self._memo: Memo[float] = Memo(remember)
        self._words: list[str] = []
        self._numbers: dict[str, int] = {}
        self._raw: Counter[tuple[int, ...]] = Counter()
        self._model: KneserNey | None = None

    def fit(self, captions: Iterable[str]) -> NgramFluency:
        """Learn from `captions` (what was learned before is forgotten) and return self. Order of captions does not matter."""
        sentences = [words for words in map(first_words, captions) if words]
        if not sentences:
            raise ConfigError("no caption with a word to fit the fluency model on", hint="Check the trusted set's captions")
        vocabulary = sorted({word for sentence in sentences for word in sentence})
        numbers = {word: i for i, word in enumerate(vocabulary, start=len(_SPECIAL))}
        self._adopt(vocabulary, raw_counts(([numbers[w] for w in s] for s in sentences), self.order))
        return self

    def perplexity(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Perplexity: exp of the mean surprise a word, sentence end included; shape (N,). Infinite for a text without a word."""
        return np.array(self._memo.resolve(texts, lambda missing: [self._one(t) for t in missing]), dtype=np.float64)

    def probability(self, word: str, context: Sequence[str] = ()) -> float:
        """P(word | context). "</s>" asks for the end, "<unk>" for a word never seen; a context may begin with "<s>"."""
        return self._fitted().probability(self._number(word), tuple(self._number(w) for w in context))

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """Every word that can follow, "</s>" and "<unk>" included."""
        return (*_SPECIAL[1:], *self._words)

    def occurrences(self) -> tuple[dict[str, int], int]:
        """How often each word is in the captions that the model was fitted on, and the number of these with a word."""
        self._fitted()
        last: Counter[int] = Counter()  # every word, and the end, is the last of one n-gram
        for gram, count in self._raw.items():
            last[gram[-1]] += count
        return {word: last[number] for number, word in enumerate(self._words, start=len(_SPECIAL))}, last[END]

    def save(self, path: Path) -> None:
        """Write gzip JSON; the same captions give the same bytes."""
        self._fitted()
        counts = [[*gram, count] for gram, count in sorted(self._raw.items())]
        content = {"format": FORMAT, "order": self.order, "words": self._words, "counts": counts}
        path.write_bytes(gzip.compress(json.dumps(content, separators=(",", ":")).encode(), compresslevel=6, mtime=0))

    @classmethod
    def load(cls, path: Path, *, remember: int = 200_000) -> NgramFluency:
        """Read what `save` wrote. Raises ConfigError when the file is missing or is not such a file."""
        try:
            content = json.loads(gzip.decompress(path.read_bytes()))
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}")
            words = [str(word) for word in content["words"]]
            raw = Counter({tuple(int(i) for i in row[:-1]): int(row[-1]) for row in content["counts"]})
            model = cls(int(content["order"]), remember=remember)
            _check(raw, model.order, len(words) + len(_SPECIAL))
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path.name} is not a saved n-gram fluency model", hint="Fit and save it again") from error
        model._adopt(words, raw)
        return model

    def _adopt(self, words: list[str], raw: Counter[tuple[int, ...]]) -> None:
        self._words = words
        self._numbers = {word: i for i, word in enumerate((*_SPECIAL, *words))}
        self._raw = raw
        self._model = KneserNey(raw, self.order, len(self._numbers))
        self._memo = Memo(self._remember)

    def _one(self, text: str) -> float:
        model = self._fitted()
        words = first_words(text)
        if not words:
            return math.inf
        numbers = [self._number(w) for w in ("<s>", *words, "</s>")]
        reach = self.order - 1
        surprise = -sum(math.log(model.probability(n, tuple(numbers[max(0, i - reach) : i]))) for i, n in enumerate(numbers) if i)
        return math.exp(surprise / (len(numbers) - 1))

    def _number(self, word: str) -> int:
        return self._numbers.get(word, UNKNOWN)

    def _fitted(self) -> KneserNey:
        if self._model is None:
            raise ConfigError("the n-gram fluency model has not been fitted", hint="Call fit with trusted captions, or load a saved one")
        return self._model


def _check(raw: Counter[tuple[int, ...]], order: int, vocabulary: int) -> None:
    if not raw:
        raise ValueError("no n-grams")
    for gram, count in raw.items():
        if not 2 <= len(gram) <= order or count < 1 or min(gram) < 0 or max(gram) >= vocabulary:
            raise ValueError(f"bad n-gram {gram}")
