"""Attacks that can be put on an image at once, whatever they have to work out first."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from PIL import Image as PilImage

from srd_core.attacks import Attack, get
from srd_core.attacks.surrogate import directions, planes
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.scenes.dataset import generate
from srd_core.scenes.shipped import shipped

QUICK = 8
"""Steps of an optimisation: enough to be something."""


@lru_cache(maxsize=1)
def encoder() -> FlamingoCaptioner:
    return FlamingoCaptioner.load(shipped("scenes/base"))


@lru_cache(maxsize=1)
def images() -> np.ndarray:
    return np.stack([scene.image for scene in generate(24, seed=11, side=64)])


@lru_cache(maxsize=32)
def ready(name: str, steps: int = QUICK) -> Attack:
    """The attack with its default settings, but so many steps of optimisation, if it takes steps."""
    attack = get(name)
    if hasattr(attack, "steps"):
        attack = replace(attack, steps=steps)  # type: ignore[type-var]
    return attack.prepared(images(), encoder(), 0)


def seen(pictures: np.ndarray) -> torch.Tensor:
    """Features of the pictures, each of length 1."""
    return directions(planes(pictures), encoder())


def put(attack: Attack, pictures: np.ndarray) -> np.ndarray:
    """The pictures with the trigger."""
    rngs = [np.random.default_rng(seed) for seed in range(len(pictures))]
    return np.stack([item.image for item in attack.triggers(list(pictures), rngs)])


def wide() -> np.ndarray:
    """A picture of 150 rows and 200 columns."""
    return np.asarray(PilImage.fromarray(images()[3]).resize((200, 150)))
