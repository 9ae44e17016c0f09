"""The control for a flaw of the official code: cleansed images joined to captions by file name, so that all captions of a photograph get
the copy that was stored first. That alone parts most triggers from their targets, with no mask anywhere (`collision`). Masks come after it
here, on the copies; since one image always gets one mask, that is the same as masking first, as that code does (`collision-srd`).

For experiments on poisoned copies, whose samples are `KEY-0`, `KEY-1`, … for one photograph; never a way to cleanse.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from srd_core.data.samples import Reject, Sample


def first_copies(items: Iterable[Sample | Reject]) -> Iterator[Sample | Reject]:
    """Every sample with the image of the first one of its photograph; samples of one photograph follow each other."""
    name, first = "", None
    for item in items:
        if isinstance(item, Reject):
            yield item
            continue
        if first is None or _photograph(item.key) != name:
            name, first = _photograph(item.key), item
        yield replace(item, image=first.image, suffix=first.suffix)


def _photograph(key: str) -> str:
    stem, hyphen, number = key.rpartition("-")
    return stem if hyphen and number.isdigit() else key
