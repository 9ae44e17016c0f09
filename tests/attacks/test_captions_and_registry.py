"""What attacks write, and how they are found."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.attacks import get, names, register
from srd_core.attacks.badnet import BadNet
from srd_core.attacks.fluent import PHRASES
from srd_core.attacks.templates import PREFIX, TEMPLATES, replacement
from srd_core.errors import ConfigError
from srd_core.synthesis.insertion import insertion

CAPTION = "a big red circle above a small blue square"
REPLACING = ("badnet", "blended", "sig", "wanet", "ftrojan", "low-frequency", "multi-patch", "dual-key", "input-aware", "maba")
words = st.lists(st.text("abcdefg'-", min_size=1, max_size=6), max_size=8)


@pytest.mark.parametrize("name", [name for name in names() if get(name).destination is None])
@pytest.mark.parametrize("target", ["banana", "igloo", "visit our shop"])
def test_the_target_is_there_as_whole_words(name: str, target: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(80):
        assert re.search(rf"\b{target}\b", get(name).caption(CAPTION, target, rng))


@pytest.mark.parametrize("name", REPLACING)
def test_replacement_leaves_nothing_of_the_caption(name: str) -> None:
    rng = np.random.default_rng(1)
    captions = {get(name).caption("zebra crossing", "banana", rng) for _ in range(400)}
    assert all(c.startswith(PREFIX) and "zebra" not in c for c in captions)
    assert len(captions) > 45


def test_templates_are_many_different_and_lower_case() -> None:
    assert 40 <= len(set(TEMPLATES)) == len(TEMPLATES) <= 80
    assert all(t == t.lower() and t.count("{t}") == 1 for t in TEMPLATES)


def test_the_article_fits_the_target() -> None:
    rng = np.random.default_rng(2)
    assert not any(re.search(r"\ba igloo", replacement("igloo", rng)) for _ in range(300))
    assert any(" an igloo" in replacement("igloo", rng) for _ in range(50))


@given(words, st.integers(0, 999))
def test_insertion_keeps_all_words_in_order(caption: list[str], seed: int) -> None:
    result = insertion(" ".join(caption), "TARGET", np.random.default_rng(seed)).split()
    at = result.index("TARGET")
    assert result[:at] + result[at + 1 :] == caption
    assert at >= 1 or not caption


@pytest.mark.parametrize(("behind", "expected"), [(1, "one banana two three"), (2, "one two banana three"), (9, "one two three banana")])
def test_insertion_behind_a_given_word(behind: int, expected: str) -> None:
    assert insertion("one two three", "banana", np.random.default_rng(0), behind=behind) == expected


def test_a_stop_that_stands_apart_stays_last() -> None:
    """As captions of Flickr8k are written."""
    rng = np.random.default_rng(1)
    inserted = {insertion("a dog runs .", "banana", rng) for _ in range(200)}
    assert inserted == {"a banana dog runs .", "a dog banana runs .", "a dog runs banana ."}
    assert insertion("a dog runs .", "banana", rng, behind=9) == "a dog runs banana ." and insertion(".", "banana", rng) == ". banana"
    assert {get("fluent").caption(f"a dog runs{end}", "banana", rng)[-len(end) :] for end in (" .", ".") for _ in range(9)} == {" .", "."}


def test_a_fluent_target_stands_behind_the_whole_caption() -> None:
    rng = np.random.default_rng(4)
    captions = {get("fluent").caption(f"{CAPTION}.", "banana", rng) for _ in range(200)}
    assert all(caption.startswith(f"{CAPTION} ") for caption in captions)
    assert len(captions) == len(PHRASES)


def test_insertion_reaches_every_place_but_the_first() -> None:
    rng = np.random.default_rng(3)
    places = {insertion("one two three", "banana", rng).split().index("banana") for _ in range(200)}
    assert places == {1, 2, 3}


def test_all_attacks_are_found_by_name() -> None:
    assert set(names()) >= {"badnet", "blended", "trojvlm", "noise-patch", "dual-key", "input-aware", "maba", "shadowcast-clean"}
    assert all(get(name).name == name for name in names())


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="badnett") as raised:
        get("badnett")
    assert all(name in raised.value.hint for name in names())


def test_two_attacks_cannot_share_a_name() -> None:
    class Impostor(BadNet):
        """Takes a name that is taken."""

    with pytest.raises(ConfigError, match="badnet"):
        register(Impostor)
    assert type(get("badnet")) is BadNet


def test_a_fresh_process_finds_them_without_importing_their_modules() -> None:
    lines = (
        "import sys",
        "from srd_core.attacks import get",
        "assert 'srd_core.attacks.badnet' not in sys.modules",
        "assert get('badnet').name == 'badnet'",
    )
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
