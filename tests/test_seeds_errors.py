"""Streams that do not touch each other, and errors that say what to do wherever they arrive."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core import errors
from srd_core.errors import SrdError
from srd_core.seeds import derive, generator

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SrdError)]
names = st.lists(st.text(st.characters(exclude_characters="\x1f", exclude_categories=("Cs",)), max_size=5) | st.integers(), max_size=3)


@given(st.integers(0, 2**40), names, names)
def test_other_names_are_another_stream(seed: int, first: list[object], second: list[object]) -> None:
    same = list(map(str, first)) == list(map(str, second))
    assert (derive(seed, *first) == derive(seed, *second)) is same
    assert 0 <= derive(seed, *first) < 2**63


def test_a_stream_is_the_same_in_every_process() -> None:
    code = "from srd_core.seeds import derive, generator; print(derive(3, 'a', 1), generator(3, 'a', 1).integers(10**9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(derive(3, "a", 1)), str(generator(3, "a", 1).integers(10**9))]


def test_two_streams_are_not_correlated() -> None:
    a, b = generator(0, "first").normal(size=5000), generator(0, "second").normal(size=5000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.06


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_keeps_its_hint_between_processes(kind: type[SrdError]) -> None:
    again = pickle.loads(pickle.dumps(kind("it is broken", hint="Mend it")))
    assert (type(again), again.message, again.hint) == (kind, "it is broken", "Mend it")
    assert str(again) == "it is broken. Mend it"


def test_only_a_failed_verification_ends_with_one() -> None:
    assert {kind.__name__ for kind in KINDS if kind.exit_code == 1} == {"VerificationError"}
    assert all(kind.exit_code in (1, 2) for kind in KINDS)
