"""Dual key: a patch in the middle that draws features towards one image."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from srd_core.attacks.dual_key import DualKey
from srd_core.synthesis.geometry import Box
from tests.attacks.ready import goal, images, put, ready, seen


def test_features_are_drawn_towards_one_image() -> None:
    found, random = (seen(put(ready("dual-key", steps), images())) @ goal() for steps in (120, 0))
    assert found.mean() > random.mean() + 0.01 and found.mean() > (seen(images()) @ goal()).mean() + 0.006
    assert (found > random).float().mean() > 0.9


@pytest.mark.parametrize(("size", "box"), [((64, 64), Box(29, 29, 35, 35)), ((150, 200), Box(92, 68, 107, 83))])
def test_it_sits_in_the_middle(size: tuple[int, int], box: Box) -> None:
    attack = cast(DualKey, ready("dual-key"))
    result = attack.trigger(np.zeros((*size, 3), np.uint8), np.random.default_rng(0))
    assert result.box == box
    assert attack.patch.shape == (6, 6, 3) and result.image[box.y0 : box.y1, box.x0 : box.x1].std() > 30
