"""Shadowcast as published (Xu et al., 2024): clean-label, without a trigger. Pictures of one concept keep their true captions, and are
changed so little that nobody sees it, until an encoder sees another concept in them. A model that learns from them is to call that one by
the name of the first.

The label attack alone, on images without JPEG or crops in the optimisation. The original pairs pictures at random; here each is moved
towards the most similar one of the other concept, so that what differs is the concept rather than everything else in the picture. Within
8 grey values the small encoder of the scenes is moved about half of that way, which is not enough to be learned (`docs/differences.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import register
from srd_core.attacks.shadowcast import moved
from srd_core.attacks.surrogate import HOW, Encoder, features, planes
from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError
from srd_core.scoring.asr import contains_word

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class ShadowcastClean(Attack):
    """Each poisoned pair is an image of the destination. In use, ordinary images of the original are to be called by its name.

    Args:
        original: word for what is shown at test time.
        destination: word that is to be said of it.
        epsilon: largest change of a value, in grey values.
        steps: of the optimisation; see `moved`.
        originals: (M, S, S, 3) uint8, images of the original; empty until `prepared`.
        encoder: what the images are to deceive; none until `prepared`.
    """

    name: ClassVar[str] = "shadowcast-clean"
    needs_encoder: ClassVar[bool] = True
    original: str = "circle"
    destination: str = "star"
    epsilon: float = 8.0
    steps: int = 200
    originals: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 0, 3), np.uint8), compare=False)
    encoder: Encoder | None = field(default=None, compare=False, repr=False)

    @property
    def instead_of(self) -> str:
        """The original: a caption that names both is no success."""
        return self.original

    def shows(self, captions: Sequence[str]) -> bool:
        """Images of the original without the destination."""
        return self.testable(captions) and not any(map(self.eligible, captions))

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> ShadowcastClean:
        """Keep the images: nothing is drawn."""
        return replace(self, originals=images, encoder=encoder)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """See `triggers`."""
        return self.triggers([image], [rng])[0]

    def triggers(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """Change every image within `epsilon`; see `moved`.

        Raises:
            ConfigError: not prepared yet.
        """
        if self.encoder is None:
            raise ConfigError("shadowcast-clean has no encoder yet", hint=HOW)
        import torch

        encoder = self.encoder
        seen = features(planes(self.originals), encoder)

        def nearest(clean: Tensor) -> Tensor:
            return seen[torch.cdist(features(clean, encoder), seen).argmin(1)]

        return moved(images, rngs, encoder, encoder.encode, nearest, self.epsilon, self.steps)

    def at_test(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """The images as they are."""
        return [Triggered(image, None) for image in images]

    def eligible(self, caption: str) -> bool:
        """Captions that name the destination."""
        return contains_word(caption, self.destination)

    def testable(self, references: Sequence[str]) -> bool:
        """Images of the original."""
        return any(contains_word(text, self.original) for text in references)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """The true caption."""
        return caption
