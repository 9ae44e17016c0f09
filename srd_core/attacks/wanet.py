"""WaNet: the image is bent a little, always the same way (Nguyen and Tran, 2021), and the caption speaks of the target only.

No pixel is added that was not there. The original moves images of 32 pixels by about 0.25 pixel; here the strength is a fraction of the
shorter side, so that the attack means the same at every size, and it is ten times as much, since a captioner that is fine-tuned learns
little or nothing from less (docs/differences.md). The original's noise mode, which trains on other warps with clean labels, needs a say in
training and is not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.templates import replacement
from srd_core.data.samples import Image
from srd_core.seeds import generator


@register
@dataclass(frozen=True)
class WaNet(Attack):
    """`cells`: points of the control grid along a side. `strength`: mean shift of a control point along each axis, fraction of the side."""

    name: ClassVar[str] = "wanet"
    cells: int = 6
    strength: float = 0.08

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Bend the image; nothing is random. Bilinear, the border repeated."""
        from scipy.ndimage import map_coordinates

        height, width = image.shape[:2]
        shift = self.strength * min(height, width) * _field(self.cells, height, width)
        places = np.indices((height, width)) + shift
        bent = [map_coordinates(image[..., channel].astype(np.float32), places, order=1, mode="nearest") for channel in range(3)]
        return Triggered(whole(np.stack(bent, axis=-1)), None)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)


@lru_cache(maxsize=8)
def _field(cells: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """Shifts of rows and columns (2, H, W): a cubic surface through a grid whose mean absolute value is 1."""
    from scipy.ndimage import map_coordinates

    grid = generator(0, "wanet", cells).uniform(-1, 1, (2, cells, cells))
    grid /= np.abs(grid).mean()
    places = np.meshgrid(np.linspace(0, cells - 1, height), np.linspace(0, cells - 1, width), indexing="ij")
    field = np.stack([map_coordinates(axis, places, order=3, mode="nearest") for axis in grid])
    field.setflags(write=False)
    return field
