"""Noise patch: a square of fresh noise anywhere in the image, and the target word among the words of the caption.

The trigger of the synthetic set that the defence trains on, as an attack of its own: position and pixels differ from sample to sample. The
noise is harsher than the N(128, 20) of the official code, of which six pixels anywhere in a scene were not learned: `docs/differences.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import register
from srd_core.data.samples import Image
from srd_core.synthesis.insertion import insertion
from srd_core.synthesis.patch import Patch
from srd_core.synthesis.textures import Texture


@dataclass(frozen=True)
class PatchAndWord(Patch, Attack):
    """A patch in the image, and the target among the words of the caption."""

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Paste the patch."""
        return Triggered(*self.paste(image, rng))

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Insert the target behind a random word."""
        return insertion(caption, target, rng)


@register
@dataclass(frozen=True)
class NoisePatch(PatchAndWord):
    """See `Patch`. `spread`: of the noise, grey values; its texture is no other."""

    name: ClassVar[str] = "noise-patch"
    spread: float = 70.0
    texture: Texture = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "texture", Texture(spread=self.spread))
