"""Attacks that can be put on an image at once, whatever they have to work out first."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from srd_core.attacks import Attack, get
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
    """The attack with its default settings, but so many steps of optimisation."""
    attack = get(name)
    return replace(attack, steps=steps).prepared(images(), encoder(), 0) if attack.needs_encoder else attack  # type: ignore[type-var]
