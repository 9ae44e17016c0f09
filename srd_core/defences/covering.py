"""A control that is told where triggers are: the smallest mask that hides one, a random mask on every other image.

For experiments; never a way to cleanse. What is left after it is left although not a pixel of a trigger is seen.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.policy.evaluation import COVERED
from srd_core.policy.masks import ActionSpace, Mask, box
from srd_core.policy.policy import Policy
from srd_core.scoring.coverage import covered_share, mask_boxes, within

Place = tuple[float, float, float, float]


class CoverTriggers:
    """See `Defence`.

    Args:
        places: pair id → the trigger's corners (x0, y0, x1, y1) in fractions of the shorter side, None for the whole frame.
        otherwise: places the mask of images without a trigger, or with one that no mask hides since it fills the frame.
    """

    looks = True

    def __init__(self, places: Mapping[str, Place | None], otherwise: Policy) -> None:
        self._places, self._otherwise = places, otherwise

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        decisions = []
        choices = self._otherwise.choose(batch.images, force_mask=True)
        for own, shape, choice in zip(batch.ids, batch.shapes, choices, strict=True):
            place = next((found for pair in own if (found := self._places.get(pair))), None)
            mask = smallest(self._otherwise.space, place, shape) if place else choice.mask
            reason = "its trigger is covered" if place else "every image is masked"
            decisions.append(SampleDecision((PairDecision("mask", reason),) * len(own), mask))
        return decisions


def smallest(space: ActionSpace, place: Place, shape: tuple[int, int]) -> Mask:
    """The smallest mask of `space` that hides a trigger in an image of (height, width), or the one that hides most of it.

    Hidden is every pixel, and `COVERED` of the area: masks are drawn on whole pixels, and so hide more or less than their area.
    """
    x0, y0, x1, y1 = (round(edge * min(shape)) for edge in place)
    masks = [mask for action in range(space.masks) if (mask := space.decode(action))]
    triggers = np.tile(place, (len(masks), 1))
    shares = covered_share(triggers, within(mask_boxes(*np.asarray([mask.fields(*shape) for mask in masks]).T), triggers))

    def in_sight(mask: Mask) -> int:
        left, top, right, bottom = box(mask, *shape)
        return (x1 - x0) * (y1 - y0) - max(min(right, x1) - max(left, x0), 0) * max(min(bottom, y1) - max(top, y0), 0)

    ranked = [(in_sight(mask), share < COVERED, mask.size) for mask, share in zip(masks, shares.tolist(), strict=True)]
    return masks[ranked.index(min(ranked))]
