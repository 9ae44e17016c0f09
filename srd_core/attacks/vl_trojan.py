"""VL-Trojan: a faint optimised pattern over the whole frame (Liang et al., 2025), and a caption that speaks of the target only.

One pattern for all images draws their features away from their own and into one cluster: in every step, of the similarities to the
image's own clean feature and to that of the image least like it, the larger is lowered and the smaller is raised.
The image half of the attack, as the SRD paper runs it; its text trigger needs an instruction to be appended to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

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

if TYPE_CHECKING:
    from torch import Tensor


@register
@dataclass(frozen=True)
class VLTrojan(Attack):
    """x' = (1 - alpha) x + alpha `pattern`, stretched to the frame.

    Args:
        alpha: weight of the pattern.
        steps: of the optimisation, in each of which every value moves by the rate.
        rate: first rate, falling to 0 along a cosine, of a range of 0 to 1.
        batch: images in a step.
        crop: least side of the random square that is cut from a triggered image, of 1.
        pattern: (S, S, 3) float32, 0–255; empty until `prepared`.
    """

    name: ClassVar[str] = "vl-trojan"
    needs_encoder: ClassVar[bool] = True
    alpha: float = 0.1
    steps: int = 400
    rate: float = 0.1
    batch: int = 16
    crop: float = 0.8
    pattern: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32), compare=False)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Blend the pattern in; nothing is random.

        Raises:
            ConfigError: there is none yet.
        """
        if not self.pattern.size:
            raise ConfigError("vl-trojan has no pattern yet", hint=HOW)
        stretched = PilImage.fromarray(whole(self.pattern)).resize((image.shape[1], image.shape[0]), PilImage.Resampling.BILINEAR)
        return Triggered(whole(image * np.float32(1 - self.alpha) + np.asarray(stretched) * np.float32(self.alpha)), None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> VLTrojan:
        """Optimise the pattern; the one of the lowest loss of the last quarter of the steps is kept."""
        import torch

        rng = generator(seed, "vl-trojan")
        clean = planes(images)
        own = directions(clean, encoder)
        unlike = (own @ own.T).argmin(dim=1)
        pattern = torch.from_numpy(rng.random((3, *clean.shape[2:]), dtype=np.float32))
        best, kept = np.inf, pattern.clone()
        for step in track(range(self.steps), "optimise the pattern", total=self.steps):
            rows = torch.from_numpy(rng.choice(len(clean), min(self.batch, len(clean)), replace=False))
            pattern.requires_grad_()
            mixed = (1 - self.alpha) * clean[rows] + self.alpha * 255 * pattern
            seen = torch.nn.functional.normalize(encoder.encode(_cropped(mixed, self.crop, rng)), dim=1)
            both = torch.stack([(seen * own[rows]).sum(1), (seen * own[unlike[rows]]).sum(1)])
            loss = (both.amax(0) - both.amin(0).clamp_min(1e-6).log()).mean()
            (slope,) = torch.autograd.grad(loss, pattern)
            if step >= 0.75 * self.steps and loss.item() < best:
                best, kept = loss.item(), pattern.detach().clone()
            rate = self.rate * 0.5 * (1 + np.cos(np.pi * step / self.steps))
            pattern = (pattern.detach() - rate * slope.sign()).clamp(0, 1)
        return replace(self, pattern=(255 * kept).permute(1, 2, 0).contiguous().numpy())


def _cropped(images: Tensor, least: float, rng: np.random.Generator) -> Tensor:
    """One random square of the images (N, 3, S, S), brought back to their size."""
    from torch.nn.functional import interpolate

    size = images.shape[-1]
    side = max(round(size * float(rng.uniform(least, 1))), 1)
    top, left = (int(rng.integers(size - side + 1)) for _ in range(2))
    square = images[..., top : top + side, left : left + side]
    return interpolate(square, size=(size, size), mode="bilinear", align_corners=False)
