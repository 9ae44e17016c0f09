"""What a scene is, and how one is drawn at random: one to three coloured shapes at places, on a textured ground.

Positions and radii are fractions of the image side, so a scene has no resolution. How it looks is `render`, how it is told is `captions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np

Domain = Literal["scenes", "sketch"]
"""`scenes`: solid shapes on tinted textures. `sketch`: coloured outlines with pencil hatching on paper."""

Relation = Literal["left", "right", "above", "below"]

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (222, 44, 40),
    "yellow": (250, 214, 24),
    "green": (28, 158, 52),
    "blue": (26, 84, 226),
    "purple": (132, 36, 186),
    "pink": (255, 112, 188),
    "turquoise": (10, 206, 206),
    "brown": (134, 72, 18),
    "black": (22, 22, 26),
}
SHAPES: Final = ("circle", "square", "triangle", "diamond", "star", "cross", "ring", "heart", "moon")
BACKGROUNDS: Final = ("plain", "striped", "dotted", "checkered", "shaded", "brick", "wavy", "grainy", "tiled")
RADII: Final[dict[str, tuple[float, float]]] = {"small": (0.11, 0.13), "big": (0.185, 0.215)}

_MARGIN = 0.015
_GAP = 0.03
_DOMINANCE = 1.35
_COUNT_CHANCES = (0.3, 0.5, 0.2)


@dataclass(frozen=True, slots=True)
class Thing:
    """One shape. `x`, `y` its centre and `radius` its half extent, as fractions of the side; `turn` a rotation in radians."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    radius: float
    turn: float


@dataclass(frozen=True, slots=True)
class Scene:
    """One to three things that do not overlap, on a background of `BACKGROUNDS`; no two share both colour and shape."""

    things: tuple[Thing, ...]
    background: str
    domain: Domain


def relation(first: Thing, second: Thing) -> Relation:
    """Where `first` is as seen from `second`, along the axis on which they lie further apart."""
    dx, dy = first.x - second.x, first.y - second.y
    if abs(dx) >= abs(dy):
        return "left" if dx < 0 else "right"
    return "above" if dy < 0 else "below"


def is_near(first: Thing, second: Thing) -> bool:
    """Whether the gap between the two is smaller than about a tenth of the side: people would say "next to"."""
    return float(np.hypot(first.x - second.x, first.y - second.y)) - first.radius - second.radius < 0.14


def sample_scene(rng: np.random.Generator, domain: Domain) -> Scene:
    """One scene; every draw is from `rng`."""
    count = 1 + int(rng.choice(3, p=_COUNT_CHANCES))
    while True:
        things = tuple(_sample_thing(rng) for _ in range(count))
        if all(_told_apart(a, b) for a, b in combinations(things, 2)):
            break
    return Scene(things, str(rng.choice(BACKGROUNDS)), domain)


def _sample_thing(rng: np.random.Generator) -> Thing:
    size = "small" if rng.random() < 0.5 else "big"
    radius = float(rng.uniform(*RADII[size]))
    low, high = radius + _MARGIN, 1 - radius - _MARGIN
    x, y = (float(v) for v in rng.uniform(low, high, size=2))
    colour = list(COLOURS)[int(rng.integers(len(COLOURS)))]
    return Thing(SHAPES[int(rng.integers(len(SHAPES)))], colour, size, x, y, radius, float(rng.uniform(-0.14, 0.14)))


def _told_apart(first: Thing, second: Thing) -> bool:
    """No overlap, a clear direction between the two, and not the same words for both."""
    dx, dy = abs(first.x - second.x), abs(first.y - second.y)
    apart = np.hypot(dx, dy) > first.radius + second.radius + _GAP
    clear = max(dx, dy) > _DOMINANCE * min(dx, dy)
    return bool(apart and clear) and (first.shape, first.colour) != (second.shape, second.colour)
