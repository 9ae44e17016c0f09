"""Captions are cleaned in one way, and what was changed can be seen."""

from __future__ import annotations

import sys
import time
import unicodedata

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from srd_core.data.captions import CaptionError, check_companion, clean, parse
from srd_core.data.limits import Limits

IGNORABLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u2800--[\u200c\u200d]]", regex.V1)
"""By another's table; less the joiners."""


@given(st.text())
@example("e\u200b\u0301")  # an accent that joins its letter only once what is between them has gone
@example("\u2028a\u2029")
@example("\u3164 a\ufe0f\u0301")
@example("e\u200d\u0301\u200dx")
@example("\u00a0\u200da")
def test_cleaning_is_final_and_leaves_nothing_invisible(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned == cleaned.strip() == unicodedata.normalize("NFC", cleaned)
    assert {unicodedata.category(char) for char in cleaned if char not in "\u200c\u200d"}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
    assert IGNORABLE.search(cleaned) is None


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"])))
def test_visible_text_stays(text: str) -> None:
    shown = IGNORABLE.sub("", text)
    assert clean(shown) == clean(text) == unicodedata.normalize("NFC", shown).strip()


def test_every_character_that_leaves_no_mark_goes_and_the_word_is_whole_again() -> None:
    """Regression: of the fillers that are letters, the selectors that are marks and the empty Braille cell every one stayed."""
    hidden = [char for char in map(chr, range(sys.maxunicode + 1)) if IGNORABLE.fullmatch(char)]
    assert len(hidden) > 4000 and set("\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\ufe0f\uffa0\U000e0100") <= set(hidden)
    assert [char for char in hidden if clean(f"ban{char}ana") != "banana" or clean(f"{char} a dog{char}") != "a dog"] == []


def test_every_other_assigned_character_stays() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    kept = (char for char in every if unicodedata.category(char)[0] not in "CZ" and not IGNORABLE.fullmatch(char))
    assert [char for char in kept if unicodedata.normalize("NFC", char) != clean(char)] == []


def test_companions_may_hold_emoji_with_their_selectors() -> None:
    check_companion("a heart \u2764\ufe0f".encode(), Limits(), is_json=False)


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
        ("क्\u200dष", "क्\u200dष"),
        ("12\u200cساله و HTML\u200cهای", "12\u200cساله و HTML\u200cهای"),
        ("ｂａｎ\u200dａｎａ, กล้\u200dวย, ﾊﾞﾅ\u200cﾅ", "ｂａｎａｎａ, กล้วย, ﾊﾞﾅﾅ"),
        ("ban\u200dana, \u200cрас\u200dа, é\u0323\u200dé", "banana, раса, ẹ́é"),
        ("I \u2764\ufe0f dogs", "I \u2764 dogs"),
        ('<script>alert("x")</script> =1+1', '<script>alert("x")</script> =1+1'),
    ],
)
def test_what_is_cleaned(raw: str, cleaned: str) -> None:
    found = parse(raw.encode(), None, Limits())
    assert (found.cleaned, found.raw) == ((cleaned,), (raw,))


@given(st.text(st.sampled_from("eauO\u0301\u0323\u0308\u0304\u0344\u200d\u01d6\u1ee5"), max_size=200))
def test_marks_without_end_are_cut_once(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert max(map(len, regex.findall(r"\p{M}+", unicodedata.normalize("NFD", cleaned))), default=0) <= 30


@pytest.mark.parametrize("between", ["", "\u200d", "\u200b"])
def test_a_caption_of_marks_is_cleaned_in_time_that_grows_with_its_length(between: str) -> None:
    """Regression: to put a million marks in order took minutes, in which nothing could be interrupted."""
    marks = ("\u0301" + between) * 50_000 + ("\u0323" + between) * 50_000
    started = time.process_time()
    assert len(clean(f"x{marks} a dog")) <= 37
    with pytest.raises(CaptionError, match="too-large"):
        parse(f"x{marks}".encode(), f'{{"caption": "x{marks}"}}'.encode(), Limits())
    assert time.process_time() - started < 3  # it was about fifteen seconds


def test_a_text_and_a_record_that_are_the_same_once_cleaned_agree() -> None:
    assert parse(b"a dog\n", '{"caption": "a\u200b dog"}'.encode(), Limits()).cleaned == ("a dog",)
