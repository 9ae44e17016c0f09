"""Interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999) over n-grams of word numbers.

One discount an order, n1 / (n1 + 2 n2). Orders below the highest count distinct left neighbours instead of occurrences, except for
n-grams that begin a sentence, which have no left neighbour and keep their occurrences. The last resort is uniform.
Not covered: turning text into numbers (`ngram`), modified discounts, pruning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

Gram = tuple[int, ...]

START, END, UNKNOWN = 0, 1, 2
"""Numbers of the sentence start, the sentence end and every word outside the vocabulary."""

FALLBACK_DISCOUNT = 0.75
"""Used where too few n-grams occur once or twice to estimate one (a handful of captions)."""


def raw_counts(sentences: Iterable[Sequence[int]], order: int) -> Counter[Gram]:
    """Occurrences of all `order`-grams, and of shorter n-grams that begin a sentence; everything else follows from these."""
    counts: Counter[Gram] = Counter()
    for sentence in sentences:
        words = (START, *sentence, END)
        counts.update(words[:length] for length in range(2, min(order, len(words) + 1)))
        counts.update(words[i : i + order] for i in range(len(words) - order + 1))
    return counts


class KneserNey:
    """Probabilities from raw counts. `vocabulary` is the number of word numbers, START, END and UNKNOWN included."""

    def __init__(self, raw: Mapping[Gram, int], order: int, vocabulary: int) -> None:
        self.order = order
        self._uniform = 1.0 / (vocabulary - 1)  # START is never predicted
        self._counts = _by_order(raw, order)
        self._discounts = [_discount(counts) for counts in self._counts]
        self._totals: list[Counter[Gram]] = []
        self._followers: list[Counter[Gram]] = []
        for counts in self._counts:
            totals: Counter[Gram] = Counter()
            for gram, count in counts.items():
                totals[gram[:-1]] += count
            self._totals.append(totals)
            self._followers.append(Counter(gram[:-1] for gram in counts))

    def probability(self, word: int, context: Gram) -> float:
        """P(word | context) in (0, 1]; only the last `order - 1` words of `context` count."""
        longest = min(len(context), self.order - 1)
        p = self._uniform
        for length in range(longest + 1):
            history = context[len(context) - length :]
            total = self._totals[length].get(history, 0)
            if total == 0:
                break  # an unseen history has no longer seen one
            discount = self._discounts[length]
            count = self._counts[length].get((*history, word), 0)
            p = (max(count - discount, 0.0) + discount * self._followers[length][history] * p) / total
        return p


def _by_order(raw: Mapping[Gram, int], order: int) -> list[Counter[Gram]]:
    tables: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for gram, count in raw.items():
        tables[len(gram) - 1][gram] = count
    for length in range(order - 1, 0, -1):
        tables[length - 1].update(gram[1:] for gram in tables[length])
    return tables


def _discount(counts: Mapping[Gram, int]) -> float:
    of_counts = Counter(counts.values())
    once, twice = of_counts[1], of_counts[2]
    return once / (once + 2 * twice) if once and twice else FALLBACK_DISCOUNT
