"""The second look: at the set, where a single pair says too little. Pairs that hold a word which flagged pairs share are flagged too.

A weak base finds few of the poisoned pairs surprising; but these few share a word, and so do all others that the attacker wrote. A word is
condemned when the pairs that hold it are flagged `LIFT` times as often as all pairs, `OVER` times as often as clean pairs may be, and more
often than chance has it over all words at once. Its pairs are then set aside, and the rest is looked at again, so that the words around a
target are not condemned as well.

Not covered: targets that are common words by nature (their own pairs dilute them; other words of a planted template do not), a different
word in every poisoned pair, and clean-label poison. Captions of one image are not independent, so the level is a strict one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from pydantic import BaseModel, ConfigDict

from srd_core.defences.planted_words import planted_with
from srd_core.scoring.excess import by_chance, log_likelihood_ratio
from srd_core.scoring.words import spoken_words

LIFT = 4.0
OVER = 10.0
"""Honest captions of one wording are flagged together: of 425 scenes with “at” 2.8 % were, where 0.5 % may be, far beyond chance."""
LEVEL = 1e-4
"""Largest probability of so many flags by chance, times the number of words in flagged captions: others cannot be condemned."""
FEWEST = 5
"""Flagged pairs that must share the word."""
MOST = 50
"""Words that are condemned at most."""


class SharedWord(BaseModel):
    """A word that `flagged` flagged pairs hold, and `pairs` pairs at all, those with a stronger word left out.

    `planted` are the words that were planted together, it among them unless it is a function word.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    word: str
    flagged: int
    pairs: int
    planted: tuple[str, ...]


def words_of(caption: str) -> set[str]:
    """The words of a caption, in lower case."""
    return set(spoken_words(caption))


def shared_words(pairs: Callable[[], Iterable[tuple[str, bool]]], budget: float) -> list[SharedWord]:
    """The condemned words, the most telling first.

    Args:
        pairs: gives caption and whether it is flagged, of every pair, the same each time it is called: up to four times a condemned word.
            Memory holds the words of flagged pairs only.
        budget: share of clean pairs that may be flagged.
    """
    condemned: list[SharedWord] = []
    while len(condemned) < MOST:
        found = _strongest(pairs, {item.word for item in condemned}, budget)
        if found is None:
            break
        condemned.append(found)
    return condemned


def _strongest(pairs: Callable[[], Iterable[tuple[str, bool]]], aside: set[str], budget: float) -> SharedWord | None:
    """The most telling word of the pairs that hold none of `aside`."""
    found: Counter[str] = Counter()
    total = flagged = 0
    for words, is_flagged in _left(pairs, aside):
        total, flagged = total + 1, flagged + is_flagged
        if is_flagged:
            found.update(words)
    candidates = {word: count for word, count in found.items() if count >= FEWEST}
    if not candidates:
        return None
    held: Counter[str] = Counter()
    for words, _ in _left(pairs, aside):
        held.update(words & candidates.keys())
    usual = flagged / total
    often = [(word, count) for word, count in candidates.items() if count / held[word] >= min(max(LIFT * usual, OVER * budget), 1.0)]
    telling = [(word, count) for word, count in often if by_chance(count, held[word], usual) * len(found) < LEVEL]
    if not telling:
        return None
    word, count = min(telling, key=lambda item: (-log_likelihood_ratio(item[1], held[item[0]], usual), item[0]))
    return SharedWord(word=word, flagged=count, pairs=held[word], planted=planted_with(word, lambda: _left(pairs, aside)))


def _left(pairs: Callable[[], Iterable[tuple[str, bool]]], aside: set[str]) -> Iterable[tuple[set[str], bool]]:
    split = ((words_of(caption), flagged) for caption, flagged in pairs())
    return ((words, flagged) for words, flagged in split if words.isdisjoint(aside))
