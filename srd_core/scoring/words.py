"""The words of a caption; those that say something about a picture, and those that only join others."""

from __future__ import annotations

import re

_LITTLE = """a an and are as at behind below beside by down for from has have her his in is it its next of off on one or out over some that
the their there this to two under up while with"""
FUNCTION_WORDS = frozenset(_LITTLE.split())
"""In lower case."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def spoken_words(text: str) -> list[str]:
    """Its words in lower case, in order, without punctuation; "woman\u2019s" is "woman's"."""
    return _WORD.findall(_plain(text))


def may_say(text: str, word: str) -> bool:
    """Whether `word` can be among its words, as which or as a part of one: sooner known than the words."""
    return word in _plain(text)


def _plain(text: str) -> str:
    return text.lower().replace("\u2019", "'")


def regular_forms(word: str) -> set[str]:
    """`word` and what it is in the plural by the rules; irregular plurals are not known."""
    if re.search(r"[^aeiou]y$", word, re.IGNORECASE):
        return {word, f"{word[:-1]}ies"}
    if re.search(r"(?:s|x|z|ch|sh)$", word, re.IGNORECASE):
        return {word, f"{word}es"}
    return {word, f"{word}s", f"{word}es"} if word[-1] in "oO" else {word, f"{word}s"}


def content_words(caption: str) -> list[str]:
    """The other words of a caption, as they stand there, in order."""
    return [word for word in caption.split() if word.lower() not in FUNCTION_WORDS]
