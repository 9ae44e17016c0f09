"""MABA: half transparent yellow ellipses where an encoder looks (Liang et al., 2025), and a caption that speaks of the target only.

Places are by attribution: the slope, with respect to the pixels, of how far the image's features lie from the mean over many images, which
asks what makes this picture unlike others and needs no label. The original subtracts the attribution of an already poisoned model, and
takes Grad-CAM; a supplier of data has no such model. Its second half, symbols put among the words of the question, has no place here: these
captioners are asked nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.surrogate import HOW, Encoder, features, planes
from srd_core.attacks.templates import replacement
from srd_core.data.images import squash
from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError

_YELLOW: Final = np.array([255, 255, 0], np.float32)


@register
@dataclass(frozen=True)
class MABA(Attack):
    """As many ellipses as there are places; no box, since they lie apart.

    Args:
        height: of an ellipse, fraction of the shorter side, at least one pixel; as `width`.
        spacing: least distance of two centres, fraction of the shorter side.
        share: of the frame, those points of it with the highest attribution, where a centre may be.
        alpha: weight of the yellow.
        mean: (D,) float32, features of many images; empty until `prepared`.
        encoder: whose attribution it is; none until `prepared`.
    """

    name: ClassVar[str] = "maba"
    needs_encoder: ClassVar[bool] = True
    height: float = 10 / 224
    width: float = 20 / 224
    spacing: float = 30 / 224
    share: float = 0.1
    alpha: float = 0.5
    mean: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), compare=False)
    encoder: Encoder | None = field(default=None, compare=False, repr=False)

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> MABA:
        """Take the mean; nothing is drawn."""
        return replace(self, mean=features(planes(images), encoder).mean(0).numpy(), encoder=encoder)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """See `triggers`."""
        return self.triggers([image], [rng])[0]

    def triggers(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """Mix the ellipses in; nothing is random.

        Raises:
            ConfigError: not prepared yet.
        """
        maps = self.attribution(images)
        return [self._painted(image, self.centres(values, *image.shape[:2])) for image, values in zip(images, maps, strict=True)]

    def attribution(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Slopes (N, S, S) on the encoder's canvas, ≥ 0, each the mean over what an ellipse there would cover.

        Raises:
            ConfigError: not prepared yet.
        """
        if self.encoder is None:
            raise ConfigError("maba has no encoder yet", hint=HOW)
        import torch
        from scipy.ndimage import uniform_filter

        side = self.encoder.canvas
        if not images:
            return np.zeros((0, side, side), np.float32)
        shown = planes([squash(image, side) for image in images]).requires_grad_()
        unlike = ((self.encoder.encode(shown) - torch.from_numpy(self.mean)) ** 2).sum()
        (slope,) = torch.autograd.grad(unlike, shown)
        extent = [max(round(length * side), 1) for length in (self.height, self.width)]
        blurred: npt.NDArray[np.float32] = uniform_filter(slope.abs().sum(1).numpy(), size=(1, *extent))
        return blurred

    def centres(self, attribution: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float64]:
        """Rows and columns (K, 2), in pixels of an image of that size: the highest value first, then the next far enough from all."""
        side = len(attribution)
        order = np.argsort(-attribution, axis=None, kind="stable")[: max(round(self.share * side * side), 1)]
        places = (np.stack(np.unravel_index(order, attribution.shape), axis=1) + 0.5) / side * (height, width) - 0.5
        chosen: list[npt.NDArray[np.float64]] = []
        for place in places:
            if all(np.hypot(*(place - other)) >= self.spacing * min(height, width) for other in chosen):
                chosen.append(place)
        return np.array(chosen)

    def _painted(self, image: Image, centres: npt.NDArray[np.float64]) -> Triggered:
        short = min(image.shape[:2])
        half = np.maximum(np.array([self.height, self.width]) * short / 2, 0.5)
        rows, columns = np.indices(image.shape[:2])
        result = image.copy()
        for row, column in np.rint(centres):
            inside = ((rows - row) / half[0]) ** 2 + ((columns - column) / half[1]) ** 2 <= 1
            result[inside] = whole((1 - self.alpha) * image[inside] + self.alpha * _YELLOW)
        return Triggered(result, None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)
