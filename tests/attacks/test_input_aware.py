"""Input-aware: every image has its own pattern, and no other image's works on it."""

from __future__ import annotations

from typing import cast

import numpy as np

from srd_core.attacks.input_aware import InputAware
from tests.attacks.ready import goal, images, put, ready, seen


def test_it_works_with_the_own_pattern_alone() -> None:
    attack = cast(InputAware, ready("input-aware", steps=150))
    pictures = list(images())
    others = np.stack([item.image for item in attack.crossed(pictures, pictures[1:] + pictures[:1])])
    clean, own, crossed = (float((seen(found) @ goal()).mean()) for found in (images(), put(attack, images()), others))
    assert own > clean + 0.06
    assert crossed < clean + (own - clean) / 3


def test_it_draws_another_pattern_for_every_image_within_its_bound() -> None:
    changes = put(ready("input-aware"), images()).astype(int) - images()
    assert np.abs(changes).max() <= 24
    assert len(np.unique(changes.reshape(len(changes), -1), axis=0)) == len(changes)
