"""Which words were planted, so that no new caption says them again: a reference may take a trigger for just what the attacker calls it.

A look at the set condemns one word of a template, whichever is the most telling, and of “amber star” amber where honest captions speak of
stars too. What was planted with it is what the pairs that this word gave away have in common: words that a good part of them hold, far more
of them than of all others, which chance does not explain.

Not covered: more than `1 / SHARE` targets behind one word, and targets that honest captions hold as often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from srd_core.scoring.excess import by_chance
from srd_core.scoring.words import FUNCTION_WORDS, regular_forms, spoken_words

SHARE = 0.2
"""Of the pairs that a word gave away: at least so many hold what was planted with it, …"""
LIFT = 2.0
"""… and it is so many times more frequent among them than among pairs without that word."""
LEVEL = 0.01
"""Largest probability of so many by chance, times the number of words tried. A wrong one costs a few pairs their new captions."""


def planted_with(word: str, pairs: Callable[[], Iterable[tuple[Collection[str], bool]]]) -> tuple[str, ...]:
    """What was planted with `word`, itself among it unless it is a function word; sorted.

    Args:
        word: what a look at the set has condemned.
        pairs: gives the words of every pair and whether that look, or what it rests on, speaks against the pair; the same each of the two
            times it is called. Memory holds the words of those only.
    """
    given_away: Counter[str] = Counter()
    size = 0
    for words, guilty in pairs():
        if guilty and word in words:
            size += 1
            given_away.update(set(words))
    usual: Counter[str] = Counter()
    others = 0
    for words, _ in pairs():
        if word not in words:
            others += 1
            usual.update(given_away.keys() & set(words))
    return planted_among(given_away, size, usual, others)


def planted_among(given_away: Mapping[str, int], size: int, usual: Mapping[str, int], others: int) -> tuple[str, ...]:
    """Likewise, counted already.

    Args:
        given_away: how many of the pairs that the word gave away hold each word.
        size: how many pairs these are.
        usual: how many pairs without the word hold each of these words, if any.
        others: how many pairs those are.
    """
    asked = {name: count for name, count in given_away.items() if name not in FUNCTION_WORDS and count >= SHARE * size}
    shares = {name: usual.get(name, 0) / max(others, 1) for name in asked}
    often = (name for name, count in asked.items() if count >= LIFT * shares[name] * size)
    return tuple(sorted(name for name in often if by_chance(asked[name], size, shares[name]) * len(asked) < LEVEL))


class PlantedWords:
    """The planted words of a set, each known in its regular forms."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = {form: word for word in sorted(set(words) - FUNCTION_WORDS) for form in _forms(word)}

    def said_in(self, caption: str) -> str | None:
        """The first of them that the caption says, as singular, plural or possessive; None: it says none."""
        told = (word for word in spoken_words(caption) if word not in FUNCTION_WORDS) if self._words else ()
        return next((self._words[form] for word in told for form in sorted(_forms(word)) if form in self._words), None)


def _forms(word: str) -> set[str]:
    """Its regular forms; for “banana's” those of “banana” too, since who says the one says the other."""
    return regular_forms(word) | (regular_forms(word.removesuffix("'s")) - FUNCTION_WORDS)
