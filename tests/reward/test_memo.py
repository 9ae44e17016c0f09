from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.reward.memo import Memo


def test_each_text_is_computed_once_even_when_repeated_in_one_call() -> None:
    asked: list[list[str]] = []

    def compute(texts: list[str]) -> list[int]:
        asked.append(texts)
        return [len(t) for t in texts]

    memo: Memo[int] = Memo(10)
    assert memo.resolve(["aa", "b", "aa"], compute) == [2, 1, 2]
    assert memo.resolve(["b", "ccc"], compute) == [1, 3]
    assert asked == [["aa", "b"], ["ccc"]]


@given(st.lists(st.lists(st.text(alphabet="abcd", max_size=2), max_size=8), max_size=6), st.integers(1, 4))
def test_values_are_right_and_memory_is_bounded_whatever_the_calls(calls: list[list[str]], bound: int) -> None:
    memo: Memo[str] = Memo(bound)
    for texts in calls:
        assert memo.resolve(texts, lambda missing: [t.upper() for t in missing]) == [t.upper() for t in texts]
        assert len(memo) <= bound


def test_the_least_recently_used_text_leaves_first() -> None:
    computed: list[str] = []

    def compute(texts: list[str]) -> list[str]:
        computed.extend(texts)
        return texts

    memo: Memo[str] = Memo(2)
    for texts in (["a"], ["b"], ["a"], ["c"], ["a"], ["b"]):
        memo.resolve(texts, compute)
    assert computed == ["a", "b", "c", "b"]


def test_a_memo_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Memo(0)
