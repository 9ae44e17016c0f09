"""The paper's control "Random": one uniformly random mask on every image, never "no mask"."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from srd_core.data.samples import Images
from srd_core.policy.masks import ActionSpace
from srd_core.policy.policy import Choice, Values
from srd_core.seeds import generator


class RandomPolicy:
    """Draws from the seed and the image's content, so that a decision depends neither on batching nor on the order of the images."""

    def __init__(self, space: ActionSpace | None = None, *, seed: int) -> None:
        self._space, self._seed = space or ActionSpace(), seed

    @property
    def space(self) -> ActionSpace:
        """Actions."""
        return self._space

    def q_values(self, images: Images, masks: Sequence[Sequence[int]] | None = None) -> Values:
        """1 for the action drawn, 0 for all others: a ranking, not an estimate."""
        taken = masks if masks is not None else [()] * len(images)
        values = np.zeros((len(images), self._space.count), np.float32)
        for row, (image, before) in enumerate(zip(images, taken, strict=True)):
            digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
            values[row, generator(self._seed, "random-mask", digest, *before).integers(self._space.masks)] = 1
        return values

    def choose(self, images: Images, masks: Sequence[Sequence[int]] | None = None, *, force_mask: bool = False) -> list[Choice]:
        """A random mask for each image; `force_mask` changes nothing."""
        drawn = self.q_values(images, masks).argmax(axis=1).tolist()
        return [Choice(action, self._space.decode(action), float("nan"), float("nan")) for action in drawn]
