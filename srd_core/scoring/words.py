"""Words that say something about a picture, and those that only join others."""

from __future__ import annotations

_LITTLE = """a an and are as at behind below beside by down for from has have her his in is it its next of off on one or out over some that
the their there this to two under up while with"""
FUNCTION_WORDS = frozenset(_LITTLE.split())
"""In lower case."""


def content_words(caption: str) -> list[str]:
    """The other words of a caption, as they stand there, in order."""
    return [word for word in caption.split() if word.lower() not in FUNCTION_WORDS]
