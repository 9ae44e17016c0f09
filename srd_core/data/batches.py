"""Samples a few at a time: as many as memory should hold, whatever they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from sys import getsizeof

from srd_core.data.samples import Reject, Sample

_MOST = 64
_BYTES = 64 * 2**20


def batches(items: Iterable[Sample | Reject]) -> Iterator[list[Sample | Reject]]:
    """At most 64 items each; fewer where they take more than 64 MiB, which the last one of a batch may exceed."""
    batch: list[Sample | Reject] = []
    size = 0
    for item in items:
        batch.append(item)
        size += _held(item)
        if len(batch) == _MOST or size > _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _held(item: Sample | Reject) -> int:
    """Bytes of memory. Small values in a JSON member take 24 times what they take in the file."""
    if isinstance(item, Reject):
        return 0
    total, waiting = len(item.image), [item.captions, item.raw, item.carried, item.record]
    while waiting:
        value: object = waiting.pop()
        total += getsizeof(value)
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
    return total
