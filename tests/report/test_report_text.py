"""Text of an attacker becomes visible text."""

from __future__ import annotations

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from srd_core.report.text import visible


def test_escape_sequences_are_written_out() -> None:
    assert visible("a\x1b[31mred\x7f") == "a⟨U+001B⟩[31mred⟨U+007F⟩"


def test_direction_overrides_are_written_out() -> None:
    assert visible("cat \u202egod") == "cat ⟨U+202E⟩god"


@pytest.mark.parametrize("hidden", "\u034f\u115f\u1160\u17b5\u180b\u200d\u2065\u2800\u3164\ufe0f\uffa0\U000e0101")
def test_letters_marks_and_symbols_that_leave_no_mark_are_written_out(hidden: str) -> None:
    """Regression: only what is hidden by its category was."""
    assert visible(f"ban{hidden}ana") == f"ban⟨U+{ord(hidden):04X}⟩ana"


def test_newlines_do_not_break_a_line() -> None:
    assert visible("one\ntwo\u2028three") == "one⟨U+000A⟩two⟨U+2028⟩three"


def test_long_text_is_cut_and_says_how_much() -> None:
    assert visible("a" * 1_000_000, 10) == "a" * 10 + "… (999,990 more characters)"


def test_piled_marks_are_limited() -> None:
    assert visible("e" + "\u0301" * 5) == "e" + "\u0301" * 3 + "⟨U+0301⟩" * 2


def test_ordinary_words_of_any_script_stay() -> None:
    assert visible("crème brûlée, 香蕉, موز") == "crème brûlée, 香蕉, موز"


@given(st.text(st.characters(codec=None), max_size=400))
def test_nothing_invisible_is_left_and_it_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for character in shown)
    assert regex.search(r"[\p{Default_Ignorable_Code_Point}\u2800]", shown) is None
