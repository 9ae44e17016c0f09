"""Shared by the reward tests: one loaded encoder, one fitted n-gram model."""

from __future__ import annotations

import pytest

from srd_core.models.torchvision_shim import declare_operators
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.fluency import NgramFluency

declare_operators()  # before a test module imports transformers

CAPTIONS = [
    "a dog runs on the grass",
    "a dog runs on the beach",
    "a black dog sits on the grass",
    "two dogs run on the beach",
    "a man rides a red bike",
    "a man rides a horse on the beach",
    "a woman holds a red umbrella",
]


@pytest.fixture(scope="session")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


@pytest.fixture(scope="session")
def ngram() -> NgramFluency:
    return NgramFluency(order=3).fit(CAPTIONS)
