"""Template filter, a control: withheld are captions with a run of words that is far more frequent here than trusted captions lead one to
expect.

Finds attacks that replace captions by templates; blind to single inserted words. Its threshold is that of `rare`.
"""

from __future__ import annotations

from collections.abc import Iterator

from srd_core.defences.screens.base import Screened, Screening, screen
from srd_core.defences.screens.lift import over_captions

RUN = 3
"""Words in a run."""


@screen("templates")
def templates(work: Screening) -> Screened:
    """Scores are the largest lift of a caption's runs."""
    return over_captions(work, _runs)


def _runs(caption: str) -> Iterator[str]:
    words = caption.lower().split()
    yield from (" ".join(words[start : start + RUN]) for start in range(len(words) - RUN + 1))
