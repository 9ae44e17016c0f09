"""Input-aware: every image has its own pattern, and no other image's works on it."""

from __future__ import annotations

from typing import cast

import numpy as np

from srd_core.attacks.input_aware import InputAware
from tests.attacks.ready import images, put, ready, seen


def test_it_works_with_the_own_pattern_alone() -> None:
    attack = cast(InputAware, ready("input-aware", steps=150))
    pictures = list(images())
    others = np.stack([item.image for item in attack.crossed(pictures, pictures[1:] + pictures[:1])])
    features = [seen(found) for found in (images(), put(attack, images()), others)]
    there = features[1][::2].mean(0) - features[0][::2].mean(0)  # where half of the images move to
    clean, own, crossed = (float((found[1::2] @ there / there.norm()).mean()) for found in features)
    assert own > clean + 0.5
    assert crossed < clean + (own - clean) / 2
    kept, lost = (float((found * features[0]).sum(1).mean()) for found in (features[2], features[1]))
    assert kept > 0.7 > 0.5 > lost


def test_it_draws_another_pattern_for_every_image_within_its_bound() -> None:
    changes = put(ready("input-aware"), images()).astype(int) - images()
    assert np.abs(changes).max() <= 24
    assert len(np.unique(changes.reshape(len(changes), -1), axis=0)) == len(changes)
