"""A bounded memory of values by text, because reward calls see the same captions again and again.

Least recently used texts leave first. It covers one process and is not shared between threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")


class Memo(Generic[V]):
    """Values by text, at most `bound` of them."""

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"a memo holds at least one value, not {bound}")
        self._bound = bound
        self._values: OrderedDict[str, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def resolve(self, texts: Sequence[str], compute: Callable[[list[str]], Sequence[V]]) -> list[V]:
        """One value a text, in order; `compute` is called at most once, with the distinct texts not remembered."""
        known: dict[str, V] = {}
        missing: list[str] = []
        for text in dict.fromkeys(texts):
            if text in self._values:
                known[text] = self._values[text]
                self._values.move_to_end(text)
            else:
                missing.append(text)
        if missing:
            fresh = dict(zip(missing, compute(missing), strict=True))
            known.update(fresh)
            self._values.update(fresh)
            while len(self._values) > self._bound:
                self._values.popitem(last=False)
        return [known[text] for text in texts]
