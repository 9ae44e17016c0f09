"""A bound for all policies, told where triggers are: the smallest mask that hides one, a random mask on every other image.

For experiments; never a way to cleanse. What is left after it is what no placing of masks can mend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.policy.evaluation import COVERED
from srd_core.policy.masks import ActionSpace, Mask
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


def smallest(space: ActionSpace, place: Place, shape: Sequence[int]) -> Mask:
    """The smallest mask of `space` that covers a trigger at `place` in an image of (height, width), or the one that hides most of it."""
    masks = [mask for action in range(space.masks) if (mask := space.decode(action))]
    height, width = shape
    fields = np.asarray([mask.fields(height, width) for mask in masks])
    triggers = np.tile(place, (len(masks), 1))
    hidden = covered_share(triggers, within(mask_boxes(*fields.T), triggers))
    order = np.lexsort((-hidden, np.where(hidden >= COVERED, fields[:, 2], np.inf)))
    return masks[int(order[0])]
