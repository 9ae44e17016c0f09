"""Ground textures as smooth functions of position, so that they need no supersampling.

Each gives a field (S, S) in 0–1 by which two tones are mixed. Tones are muted and differ little, so that the
shapes stand out and nothing resembles a hard-edged, saturated patch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage

Field = npt.NDArray[np.floating]
"""Values per pixel, (S, S) or (S, S, 3)."""

_Texture = Callable[[Field, Field, np.random.Generator, int], Field]


@lru_cache(maxsize=16)
def axes(side: int) -> tuple[Field, Field]:
    """(x, y) of the pixel centres as fractions of the side, each (S, S) float32."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(line, line)
    return x, y


def field(name: str, rng: np.random.Generator, side: int) -> Field:
    """The texture called `name`, (S, S) float32 in 0–1, with scale, angle and phase from `rng`."""
    x, y = axes(side)
    return np.clip(_TEXTURES[name](x, y, rng, side), 0, 1).astype(np.float32)


def _soft(distance: Field, side: int) -> Field:
    """1 where `distance` (fractions of the side) is positive, with an edge one pixel wide."""
    edge: Field = np.clip(distance * side + 0.5, 0, 1)
    return edge


def _shift(rng: np.random.Generator) -> tuple[float, float]:
    u, v = rng.random(2)
    return float(u), float(v)


def _plain(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    return np.full_like(x, 0.5)


def _striped(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    angle = (0.0, np.pi / 2, np.pi / 4, -np.pi / 4)[int(rng.integers(4))] + float(rng.uniform(-0.1, 0.1))
    period = float(rng.uniform(0.13, 0.2))
    along = (x * np.cos(angle) + y * np.sin(angle)) / period + float(rng.random())
    return _soft((np.abs(along % 1 - 0.5) - 0.25) * period, side)


def _dotted(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    period = float(rng.uniform(0.14, 0.2))
    u, v = _shift(rng)
    row = np.floor(y / period + v)
    dx, dy = (x / period + u + 0.5 * (row % 2)) % 1 - 0.5, (y / period + v) % 1 - 0.5
    return _soft((0.27 - np.hypot(dx, dy)) * period, side)


def _checkered(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    period = float(rng.uniform(0.3, 0.42))
    u, v = _shift(rng)
    wave: Field = np.sin(2 * np.pi * (x / period + u)) * np.sin(2 * np.pi * (y / period + v))
    return 0.5 + wave * (side * period / 6)


def _shaded(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    angle = float(rng.uniform(0, 2 * np.pi))
    slope: Field = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    return 0.5 + 1.1 * slope


def _brick(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    height = float(rng.uniform(0.11, 0.15))
    width = 2.1 * height
    u, v = _shift(rng)
    row = np.floor(y / height + v)
    dx = 0.5 - np.abs((x / width + u + 0.5 * (row % 2)) % 1 - 0.5)
    dy = 0.5 - np.abs((y / height + v) % 1 - 0.5)
    return _soft(np.minimum(dx * width, dy * height) - 0.014, side)


def _wavy(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    period = float(rng.uniform(0.14, 0.19))
    u, v = _shift(rng)
    bend = 0.045 * np.sin(2 * np.pi * (x / float(rng.uniform(0.34, 0.5)) + u))
    wave: Field = np.sin(2 * np.pi * ((y + bend) / period + v))
    return 0.5 + 0.75 * wave


def _grainy(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    """Soft blotches: noise of a fixed coarse size, enlarged smoothly, so it has no pixel-to-pixel jumps."""
    coarse = rng.integers(0, 256, size=(15, 15), dtype=np.uint8)
    smooth = PilImage.fromarray(coarse).resize((side, side), PilImage.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float32) / 255


def _tiled(x: Field, y: Field, rng: np.random.Generator, side: int) -> Field:
    """Thin crossing lines, straight or diamond-wise."""
    period = float(rng.uniform(0.17, 0.23))
    u, v = _shift(rng)
    p, q = (x, y) if rng.random() < 0.5 else ((x + y) * np.float32(0.7071), (x - y) * np.float32(0.7071))
    dp, dq = (0.5 - np.abs((c / period + s) % 1 - 0.5) for c, s in ((p, u), (q, v)))
    return _soft(np.minimum(dp, dq) * period - 0.016, side)


_TEXTURES: Final[dict[str, _Texture]] = {
    "plain": _plain,
    "striped": _striped,
    "dotted": _dotted,
    "checkered": _checkered,
    "shaded": _shaded,
    "brick": _brick,
    "wavy": _wavy,
    "grainy": _grainy,
    "tiled": _tiled,
}
