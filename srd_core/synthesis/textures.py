"""Small high-frequency textures for patches: noise, chequers or stripes, coarse or fine, grey or coloured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from srd_core.data.samples import Image
from srd_core.synthesis.geometry import nearest

Kind = Literal["noise", "chequer", "stripes"]
KINDS: tuple[Kind, ...] = ("noise", "chequer", "stripes")


@dataclass(frozen=True, slots=True)
class Texture:
    """`mean` per channel and `spread` in grey values; `cells` along a side of the patch; `coloured`: channels vary on their own."""

    kind: Kind = "noise"
    mean: tuple[float, float, float] = (128.0, 128.0, 128.0)
    spread: float = 20.0
    cells: int = 20
    coloured: bool = True

    @property
    def family(self) -> int:
        """Number of the kind and of being coloured, 0 to 5: what two textures of one family share at a glance."""
        return 2 * KINDS.index(self.kind) + self.coloured

    def patch(self, side: int, rng: np.random.Generator) -> Image:
        """Draw a fresh patch (side, side, 3) uint8. Noise is normal; chequers and stripes alternate by ±`spread` with a random phase."""
        cells = min(self.cells, side) if self.kind != "noise" else self.cells
        channels = 3 if self.coloured else 1
        waves: npt.NDArray[np.floating]
        if self.kind == "noise":
            waves = rng.normal(0, 1, (cells, cells, channels))
        else:
            rows, columns = np.indices((cells, cells))
            steps = (rows + columns, rows, columns)[0 if self.kind == "chequer" else int(rng.integers(1, 3))]
            waves = 1.0 - 2.0 * ((steps[..., None] + rng.integers(0, 2, channels)) % 2)
        values = np.asarray(self.mean) + self.spread * waves
        return nearest(np.rint(values).clip(0, 255).astype(np.uint8), side)


def sample_texture(rng: np.random.Generator) -> Texture:
    """Draw a texture: half of them noise, cells from coarse (4 along a side) to fine (20), contrast from faint to harsh.

    Never 3 cells along a side: a policy should meet the board of `badnet` for the first time when it is tested on it.
    """
    kind: Kind = "noise" if rng.random() < 0.5 else KINDS[int(rng.integers(1, 3))]
    coloured = bool(rng.random() < 0.5)
    level = rng.uniform(20, 235, 3) if coloured else np.repeat(rng.uniform(20, 235), 3)
    red, green, blue = (float(v) for v in level)
    spread = float(rng.uniform(18, 60) if kind == "noise" else rng.uniform(35, 125))
    cells = int(rng.choice((4, 6, 10, 20)))
    return Texture(kind, (red, green, blue), spread, cells, coloured)
