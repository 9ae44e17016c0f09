"""Dual key: a patch in the middle that leads the features of all images one way."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import numpy as np
import pytest

from srd_core.attacks.dual_key import DualKey
from srd_core.scenes.dataset import generate
from srd_core.synthesis.geometry import Box
from tests.attacks.ready import images, put, ready, seen


@lru_cache(maxsize=1)
def others() -> np.ndarray:
    return np.stack([scene.image for scene in generate(24, seed=12, side=64)])


@pytest.mark.parametrize("pictures", [images, others], ids=["optimised on", "others"])
def test_all_features_are_led_one_way(pictures: Callable[[], np.ndarray]) -> None:
    found, random = (seen(put(ready("dual-key", steps), pictures())) - seen(pictures()) for steps in (120, 0))
    by_chance, way = random.mean(0).norm(), found.mean(0)
    assert way.norm() > 2.5 * by_chance
    assert (found @ (way / way.norm())).min() > 1.5 * by_chance


@pytest.mark.parametrize(("size", "box"), [((64, 64), Box(29, 29, 35, 35)), ((150, 200), Box(92, 68, 107, 83))])
def test_it_sits_in_the_middle(size: tuple[int, int], box: Box) -> None:
    attack = cast(DualKey, ready("dual-key"))
    result = attack.trigger(np.zeros((*size, 3), np.uint8), np.random.default_rng(0))
    assert result.box == box
    assert attack.patch.shape == (6, 6, 3) and result.image[box.y0 : box.y1, box.x0 : box.x1].std() > 30
