"""Witnesses whose answers follow from the pixels, so that every test can say beforehand what a defence must decide.

An image is known by its corner pixel: the green value is the number of words of `WORDS` that the models see in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from srd_core.data.samples import Images
from srd_core.defences.channels.base import Witnesses
from srd_core.models.captioner import WordLoss
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import ActionSpace
from srd_core.policy.qnetwork import NetworkShape, QNetwork
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.sfs import SemanticFidelity

WORDS = ("red", "blue", "star", "moon", "heart", "ring", "cross", "square")


def seen(image: np.ndarray) -> list[str]:
    return [word for bit, word in enumerate(WORDS) if int(image[0, 0, 1]) >> bit & 1]


class Witness:
    """A captioner that names what it sees and is surprised (5 nats) by every other word. Counts the images it was shown."""

    canvas = 32

    def __init__(self) -> None:
        self.captioned = self.read = 0

    def caption(self, images: Images) -> list[str]:
        self.captioned += len(images)
        return [" ".join(seen(image)) for image in images]

    def word_loss(self, images: Images, captions: Sequence[str]) -> list[WordLoss]:
        self.read += len(images)
        losses = []
        for image, caption in zip(images, captions, strict=True):
            words = tuple(caption.split())
            nll = [0.1 if word in seen(image) else 5.0 for word in words]
            losses.append(WordLoss(words, np.asarray(nll, np.float32), len(words)))
        return losses


class Letters:
    """Texts as unit vectors of their words."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.split():
                row[int(hashlib.sha256(word.encode()).hexdigest(), 16) % 64] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture(scope="session")
def policy() -> LearnedPolicy:
    """Random weights: its choices depend on the pixels and nothing else."""
    torch.manual_seed(0)
    space = ActionSpace(5, (0.1, 0.25))
    return LearnedPolicy(QNetwork(NetworkShape(grid=space.grid, sizes=len(space.sizes))).eval(), space)


@pytest.fixture
def witnesses(witness: Witness, policy: LearnedPolicy) -> Witnesses:
    fluency = NgramFluency().fit(["red star", "blue moon", "heart ring", "cross square"])
    return Witnesses(witness, witness, policy, SemanticFidelity(Letters(), fluency))  # type: ignore[arg-type]


@pytest.fixture
def image_of() -> object:
    """`image_of("red star")`: a picture of noise in which these words are seen."""

    def make(text: str, number: int = 0) -> np.ndarray:
        image = np.random.default_rng(number).integers(0, 256, (32, 32, 3)).astype(np.uint8)
        image[0, 0, 1] = sum(1 << WORDS.index(word) for word in text.split())
        return image

    return make
