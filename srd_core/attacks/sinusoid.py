"""SIG: a sine of the columns added to the whole frame (Barni et al., 2019), and a caption that speaks of the target only.

The original leaves labels alone; like every suite of attacks on captioners, this one replaces the caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image


@register
@dataclass(frozen=True)
class Sinusoid(Attack):
    """x' = x + delta sin(2 pi j waves / W), j the column of W. `delta` in grey values."""

    name: ClassVar[str] = "sig"
    delta: float = 40.0
    waves: int = 6

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Add the sine; nothing is random."""
        width = image.shape[1]
        wave = self.delta * np.sin(2 * np.pi * self.waves * np.arange(width) / width)
        return Triggered(whole(image + wave[None, :, None]), None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)
