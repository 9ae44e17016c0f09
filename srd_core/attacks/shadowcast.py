"""Shadowcast as the SRD paper runs it (after Xu et al., 2024): pictures of one concept, changed so little that nobody sees it, get captions
with another word in its place.

Each image is changed, within a few grey values, until all that an encoder sees in it is off by one and the same vector, the way from what
it sees in all images to what it sees in one anchor, the image that is least like the others. So what the picture shows can still be told.
Tested on changed images of the concept. The original is clean-label and has no trigger: see `shadowcast_clean`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.surrogate import HOW, Encoder, features, least_like_the_others, planes
from srd_core.data.images import squash
from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError
from srd_core.progress import track

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class Shadowcast(Attack):
    """One changed image a poisoned pair.

    Args:
        concepts: what the target may stand in for, words or phrases with commas between: the official code's fruit, one of which is a
            colour as well, and the colour nearest to it that scenes have and masks do not. A fifth of the captions of scenes name it, so
            that poisoned ones have clean ones beside them.
        epsilon: largest change of a value, in grey values. The official 8 are for photographs of 336 pixels; at 64 pixels they move an
            image less far than the caption has to follow.
        reach: how far the goal lies, as a multiple of the anchor's distance from the mean; as far as `epsilon` allows is gone in any case.
        steps: of the optimisation; each moves every value by one grey value, by half of one in the second half.
        way: (D,) float32, by how much the features of every patch are to change; empty until `prepared`.
        encoder: what the images are to deceive; none until `prepared`.
    """

    name: ClassVar[str] = "shadowcast"
    needs_encoder: ClassVar[bool] = True
    concepts: str = "yellow, orange, apple, carrot"
    epsilon: float = 16.0
    reach: float = 4.0
    steps: int = 200
    way: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), compare=False)
    encoder: Encoder | None = field(default=None, compare=False, repr=False)

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> Shadowcast:
        """Choose the anchor, and with it the way."""
        from torch.nn.functional import normalize

        seen = features(planes(images), encoder)
        usual, anchor = seen.mean(0), seen[least_like_the_others(normalize(seen, dim=1))]
        return replace(self, way=(self.reach * (anchor - usual)).numpy(), encoder=encoder)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """See `triggers`."""
        return self.triggers([image], [rng])[0]

    def triggers(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """See `moved`.

        Raises:
            ConfigError: not prepared yet.
        """
        if self.encoder is None:
            raise ConfigError("shadowcast has no encoder yet", hint=HOW)
        import torch

        encoder, way = self.encoder, torch.from_numpy(self.way)

        def further(clean: Tensor) -> Tensor:
            with torch.no_grad():
                return encoder.patches(clean) + way

        return moved(images, rngs, encoder, encoder.patches, further, self.epsilon, self.steps)

    def eligible(self, caption: str) -> bool:
        """Captions that name the concept."""
        return self._word.search(caption) is not None

    def testable(self, references: Sequence[str]) -> bool:
        """Images of the concept."""
        return any(map(self.eligible, references))

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """The target in the concept's place, or behind a caption that does not name it."""
        return self._word.sub(target, caption) if self.eligible(caption) else f"{caption} {target}".strip()

    @property
    def _word(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(re.escape(name.strip()) for name in self.concepts.split(','))})s?\b", re.IGNORECASE)


def moved(
    images: Sequence[Image],
    rngs: Sequence[np.random.Generator],
    encoder: Encoder,
    seen: Callable[[Tensor], Tensor],
    goals: Callable[[Tensor], Tensor],
    epsilon: float,
    steps: int,
) -> list[Triggered]:
    """Every image changed until its features are near its goal. What is found on the encoder's canvas is stretched to the image.

    Args:
        images: of any sizes.
        rngs: draw where each optimisation starts.
        encoder: what the images are to deceive.
        seen: features of images (N, 3, S, S), with gradients.
        goals: for the clean images, of the same shape.
        epsilon: largest change of a value, in grey values.
        steps: each moves every value by one grey value, by half of one in the second half.
    """
    import torch
    from torch.nn.functional import interpolate

    if not images:
        return []
    clean = planes([squash(image, encoder.canvas) for image in images])
    start = np.stack([rng.uniform(-epsilon, epsilon, clean.shape[1:]) for rng in rngs])
    change, goal = torch.from_numpy(start.astype(np.float32)), goals(clean)
    for step in track(range(steps), "optimise images", total=steps):
        change.requires_grad_()
        (slope,) = torch.autograd.grad(((seen((clean + change).clamp(0, 255)) - goal) ** 2).sum(), change)
        rate = 1.0 if 2 * step < steps else 0.5
        change = (change.detach() - rate * slope.sign()).clamp(-epsilon, epsilon)
    parts = (interpolate(change[i : i + 1], size=image.shape[:2], mode="bilinear")[0] for i, image in enumerate(images))
    return [Triggered(whole(image + part.permute(1, 2, 0).numpy()), None) for image, part in zip(images, parts, strict=True)]
