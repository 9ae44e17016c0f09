"""Captions are cleaned in one way, and what was changed can be seen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from srd_core.data.captions import clean, parse
from srd_core.data.limits import Limits


@given(st.text())
@example("e\u200b\u0301")  # an accent that joins its letter only once what is between them has gone
@example("\u2028a\u2029")
def test_cleaning_is_final_and_leaves_nothing_invisible(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned == cleaned.strip() == unicodedata.normalize("NFC", cleaned)
    assert {unicodedata.category(char) for char in cleaned if char not in "\u200c\u200d"}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"])))
def test_visible_text_stays(text: str) -> None:
    assert clean(text) == unicodedata.normalize("NFC", text).strip()


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a dog\x1b[31m runs", "a dog[31m runs"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("ba\u200bnana", "banana"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("cafe\u0301", "café"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ('<script>alert("x")</script> =1+1', '<script>alert("x")</script> =1+1'),
    ],
)
def test_what_is_cleaned(raw: str, cleaned: str) -> None:
    found = parse(raw.encode(), None, Limits())
    assert (found.cleaned, found.raw) == ((cleaned,), (raw,))


def test_a_text_and_a_record_that_are_the_same_once_cleaned_agree() -> None:
    assert parse(b"a dog\n", '{"caption": "a\u200b dog"}'.encode(), Limits()).cleaned == ("a dog",)
