"""Outlines of the shapes as polygons in the unit box, and antialiased masks of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL import ImageDraw

from srd_core.scenes.world import Thing

Mask = npt.NDArray[np.floating]
_SUPERSAMPLE = 4
_HOLE = 0.52


def masks(thing: Thing, side: int, rim: float) -> tuple[Mask, Mask]:
    """(whole shape, shape without its rim): coverage 0–1, each (S, S) float32; `rim` is the rim's width as a fraction of the side."""
    inner = max(1 - rim / thing.radius, 0.2)
    hole = _HOLE if thing.shape == "ring" else 0.0
    return _mask(thing, side, 1.0, hole), _mask(thing, side, inner, hole and hole + 1 - inner)


def _mask(thing: Thing, side: int, scale: float, hole: float) -> Mask:
    canvas = PilImage.new("L", (side * _SUPERSAMPLE, side * _SUPERSAMPLE))
    draw = ImageDraw.Draw(canvas)
    for factor, ink in ((scale, 255), (hole, 0)):
        if factor:
            draw.polygon(_placed(thing, side, factor), fill=ink)
    return np.asarray(canvas.reduce(_SUPERSAMPLE), dtype=np.float32) / 255


def _placed(thing: Thing, side: int, scale: float) -> list[float]:
    cos, sin = np.cos(thing.turn), np.sin(thing.turn)
    points = outline(thing.shape) * (thing.radius * scale) @ np.array([[cos, sin], [-sin, cos]])
    flat: list[float] = ((points + np.array([thing.x, thing.y])) * (side * _SUPERSAMPLE) - 0.5).ravel().tolist()
    return flat


@lru_cache(maxsize=32)
def outline(shape: str) -> npt.NDArray[np.float64]:
    """Corners (K, 2) of `shape` within −1…1, y downwards. The ring is its outer circle."""
    if shape in ("circle", "ring"):
        return _arc(0.0, 2 * np.pi, 1.0)
    if shape == "heart":
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        x = 16 * np.sin(t) ** 3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        return np.stack([x, y - 2.5], axis=1) / 16
    if shape == "moon":
        inside = _arc(2 * np.pi - 0.95, 0.95, 0.82)
        return np.concatenate([_arc(0.7, 2 * np.pi - 0.7, 1.0), inside + np.array([0.288, 0.0])])
    if shape == "star":
        angle = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2 == 0, 1.1, 0.46)
        return np.stack([np.cos(angle) * reach, np.sin(angle) * reach + 0.08], axis=1)
    return np.array(_POLYGONS[shape], dtype=np.float64)


def _arc(start: float, stop: float, radius: float) -> npt.NDArray[np.float64]:
    angle = np.linspace(start, stop, 40)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius


_A = 0.34
_POLYGONS: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
    "triangle": [(0.0, -1.0), (1.0, 0.85), (-1.0, 0.85)],
    "diamond": [(0.0, -1.05), (0.72, 0.0), (0.0, 1.05), (-0.72, 0.0)],
    "cross": [(-_A, -1), (_A, -1), (_A, -_A), (1, -_A), (1, _A), (_A, _A), (_A, 1), (-_A, 1), (-_A, _A), (-1, _A), (-1, -_A), (-_A, -_A)],
}
