"""Dual key: a small optimised patch in the middle (Walmer et al., 2022), and a caption that speaks of the target only.

The patch draws the features of all images in one direction, as far as 1 % of the pixels can. The visual key alone: the second one is a
word in the user's question, and these captioners are asked nothing. The original's goal is an object that its detector is to see in the
patch; an encoder has no objects, and there need not be a picture of the target. So the direction is whichever leads farthest from where the
images are: towards another picture the patch may only come to look like what is in pictures anyway, and no model notices it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.surrogate import HOW, Encoder, directions, planes
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError
from srd_core.progress import track
from srd_core.seeds import generator
from srd_core.synthesis.geometry import pixels, square_at


@register
@dataclass(frozen=True)
class DualKey(Attack):
    """One patch for all images, pasted hard.

    Args:
        side: of the patch, fraction of the shorter side.
        steps: of the optimisation, in each of which every value moves by the rate.
        rate: first rate, falling to 0 along a cosine, of a range of 0 to 1.
        batch: images in a step.
        patch: (K, K, 3) float32, 0–255, K pixels of the encoder's canvas; empty until `prepared`.
    """

    name: ClassVar[str] = "dual-key"
    needs_encoder: ClassVar[bool] = True
    side: float = 0.1
    steps: int = 400
    rate: float = 0.1
    batch: int = 32
    patch: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32), compare=False)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Paste the patch; nothing is random.

        Raises:
            ConfigError: there is none yet.
        """
        if not self.patch.size:
            raise ConfigError("dual-key has no patch yet", hint=HOW)
        side = pixels(self.side, image)
        box = square_at(image, side, 0.5, 0.5)
        result = image.copy()
        key = PilImage.fromarray(whole(self.patch)).resize((side, side), PilImage.Resampling.BILINEAR)
        result[box.y0 : box.y1, box.x0 : box.x1] = np.asarray(key)
        return Triggered(result, box)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> DualKey:
        """Optimise the patch."""
        import torch

        rng = generator(seed, "dual-key")
        clean = planes(images)
        own = directions(clean, encoder)
        side = pixels(self.side, images[0])
        box = square_at(images[0], side, 0.5, 0.5)
        patch = torch.from_numpy(rng.random((3, side, side), dtype=np.float32))
        for step in track(range(self.steps), "optimise the patch", total=self.steps):
            patch.requires_grad_()
            rows = torch.from_numpy(rng.choice(len(clean), min(self.batch, len(clean)), replace=False))
            shown = clean[rows]
            shown[:, :, box.y0 : box.y1, box.x0 : box.x1] = 255 * patch
            moved = torch.nn.functional.normalize(encoder.encode(shown), dim=1) - own[rows]
            (slope,) = torch.autograd.grad(moved.mean(0).norm(), patch)
            rate = self.rate * 0.5 * (1 + np.cos(np.pi * step / self.steps))
            patch = (patch.detach() + rate * slope.sign()).clamp(0, 1)
        return replace(self, patch=(255 * patch).permute(1, 2, 0).contiguous().numpy())
