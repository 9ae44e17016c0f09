"""What somebody may have meant who named something that is not there."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_CLOSE, _SAME_END = 0.6, 0.8
"""How alike two names must be, and two names' last parts."""
_OFFERED = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`Did you mean x or y? `, or nothing if none of the `known` is close. Of dotted names, those that end alike come first."""
    likely = []
    for one in known:
        whole, end = _alike(name, one), _alike(name.rpartition(".")[2], one.rpartition(".")[2])
        if whole >= _CLOSE or end >= _SAME_END:
            likely.append((end < _SAME_END, -whole, one))
    offered = [one for _, _, one in sorted(likely)[:_OFFERED]]
    return f"Did you mean {' or '.join(filter(None, (', '.join(offered[:-1]), offered[-1])))}? " if offered else ""


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
