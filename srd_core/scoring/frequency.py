"""Which words a set has far more of than the trusted one: for people to look at, since honest sets of another kind have such words too.

The trusted rate is itself uncertain: with k of m captions it is Beta(k + 1, m - k + 1) distributed, and the number among n captions is
beta-binomial. Not covered: captions of one image, which share their words; and a target that is frequent in trusted captions by nature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from srd_core.scoring.excess import beta_binomial_tail, log_likelihood_ratio

LIFT = 4.0
"""How many times the trusted rate."""
LEVEL = 1e-4
"""Largest probability of so many captions by chance, times the number of words."""
MOST = 20
"""Words that are told."""


@dataclass(frozen=True, slots=True)
class FrequentWord:
    """A word that `held` captions of the set hold, and `trusted` of the trusted ones; `share` and `usual` are their shares, 0 to 1."""

    word: str
    held: int
    share: float
    trusted: int
    usual: float


def frequent_words(held: Mapping[str, int], captions: int, trusted: Mapping[str, int], trusted_captions: int) -> list[FrequentWord]:
    """The most telling first, by likelihood ratio.

    Args:
        held: captions of the set that hold a word, by word.
        captions: of the set.
        trusted: captions of the trusted set likewise; a word that is not there is in none of them.
        trusted_captions: of the trusted set.
    """
    found = []
    for word, count in held.items():
        known = min(trusted.get(word, 0), trusted_captions)
        usual = (known + 1) / (trusted_captions + 2)
        if count / captions >= min(LIFT * usual, 1.0) and _by_chance(count, captions, known, trusted_captions) * len(held) < LEVEL:
            item = FrequentWord(word, count, count / captions, known, known / max(trusted_captions, 1))
            found.append((log_likelihood_ratio(count, captions, usual), item))
    return [item for _, item in sorted(found, key=lambda pair: (-pair[0], pair[1].word))[:MOST]]


def _by_chance(count: int, captions: int, known: int, trusted: int) -> float:
    return beta_binomial_tail(count, captions, known + 1, trusted - known + 1)
