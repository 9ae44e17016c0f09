"""A word put among those of a caption."""

from __future__ import annotations

from typing import Final

import numpy as np

_STOPS: Final = frozenset(".!?")


def insertion(caption: str, target: str, rng: np.random.Generator, *, behind: int | None = None) -> str:
    """Return `caption` with `target` behind its first, second, … or last word, drawn uniformly, or behind word number `behind` (from 1).

    A caption with fewer words gets it at its end, before a stop that stands apart.
    """
    words = caption.split()
    end = [words.pop()] if len(words) > 1 and words[-1] in _STOPS else []
    place = int(rng.integers(1, len(words) + 1)) if words else 0
    words.insert(place if behind is None else behind, target)
    return " ".join(words + end)
