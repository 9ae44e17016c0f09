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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from srd_core.defences.planted_words import planted_among
from srd_core.scoring.excess import by_chance, log_likelihood_ratio
from srd_core.scoring.words import may_say, spoken_words

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
        pairs: gives caption and whether it is flagged, of every pair, the same each time it is called: twice, and once more for each
            condemned word. Memory holds the words of flagged pairs only.
        budget: share of clean pairs that may be flagged.
    """
    known = {word for caption, flagged in pairs() if flagged for word in words_of(caption)}
    left = _Counts.of(((words_of(caption), flagged) for caption, flagged in pairs()), known)
    condemned: list[SharedWord] = []
    while len(condemned) < MOST and (word := _strongest(left, budget)) is not None:
        holders = _Counts.of(_holders(word, {item.word for item in condemned}, pairs()), known)
        left = left.without(holders)
        planted = planted_among(holders.found, holders.flagged, left.held, left.pairs)
        condemned.append(SharedWord(word=word, flagged=holders.flagged, pairs=holders.pairs, planted=planted))
    return condemned


@dataclass(frozen=True)
class _Counts:
    """Of some pairs: how many they are and are `flagged`, in how many each word is `held`, and in how many flagged ones it is `found`.

    Nothing is counted of words that no flagged pair of the whole set holds.
    """

    pairs: int
    flagged: int
    held: Counter[str]
    found: Counter[str]

    @classmethod
    def of(cls, pairs: Iterable[tuple[set[str], bool]], known: set[str]) -> _Counts:
        """`known` are the words to count; those of flagged pairs are among them."""
        count = flagged = 0
        held: Counter[str] = Counter()
        found: Counter[str] = Counter()
        for words, is_flagged in pairs:
            count, flagged = count + 1, flagged + is_flagged
            held.update(words & known)
            if is_flagged:
                found.update(words)
        return cls(count, flagged, held, found)

    def without(self, some: _Counts) -> _Counts:
        """Of the others, where `some` are among these."""
        return _Counts(self.pairs - some.pairs, self.flagged - some.flagged, self.held - some.held, self.found - some.found)


def _strongest(left: _Counts, budget: float) -> str | None:
    """The most telling word of the pairs that hold no condemned one."""
    candidates = {word: count for word, count in left.found.items() if count >= FEWEST}
    if not candidates:
        return None
    held, usual = left.held, left.flagged / left.pairs
    often = [(word, count) for word, count in candidates.items() if count / held[word] >= min(max(LIFT * usual, OVER * budget), 1.0)]
    telling = [(word, count) for word, count in often if by_chance(count, held[word], usual) * len(left.found) < LEVEL]
    if not telling:
        return None
    return min(telling, key=lambda item: (-log_likelihood_ratio(item[1], held[item[0]], usual), item[0]))[0]


def _holders(word: str, aside: set[str], pairs: Iterable[tuple[str, bool]]) -> Iterator[tuple[set[str], bool]]:
    """The pairs that hold `word` and none of `aside`. Most others are not taken apart, which takes most of the time."""
    for caption, flagged in pairs:
        if may_say(caption, word) and word in (words := words_of(caption)) and words.isdisjoint(aside):
            yield words, flagged
