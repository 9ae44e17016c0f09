"""Getting a sparring victim used to red squares, so that what a mask changes in its captions is the trigger and not the mask.

A victim that has never seen a mask describes it ("a red square"), and the reward then speaks of the mask's own looks: on scenes, covering
a trigger exactly lowered the semantic score as often as it raised it. Masks never touch a trigger here, or the victim would learn
that a red square means "no trigger", and every mask would be rewarded. Not in the paper.
"""

from __future__ import annotations

import numpy as np

from srd_core.data.samples import Images
from srd_core.policy.masks import ActionSpace, draw_batch
from srd_core.synthesis.geometry import Box

_TRIES = 20


def habituated(images: Images, space: ActionSpace, share: float, rng: np.random.Generator, boxes: list[Box] | None = None) -> Images:
    """A copy of square images (N, S, S, 3) in which `share` of them carry one random mask, away from their trigger in `boxes`, if any."""
    side = images.shape[1]
    actions = np.full(len(images), space.no_mask, dtype=np.int64)
    for number in np.flatnonzero(rng.random(len(images)) < share).tolist():
        drawn = rng.integers(space.masks, size=_TRIES)
        if boxes is not None:
            box = boxes[number]
            touching = space.coverage(drawn, side)[:, box.y0 : box.y1, box.x0 : box.x1].any(axis=(1, 2))
            drawn = drawn[~touching]
        if len(drawn):
            actions[number] = drawn[0]
    return draw_batch(images, actions, space)
