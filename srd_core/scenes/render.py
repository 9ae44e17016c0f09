"""From a scene to pixels, in one of two looks.

Ground and shapes are antialiased; all randomness (tones, texture phase) is from the given generator.
"""

from __future__ import annotations

import colorsys

import numpy as np

from srd_core.data.samples import Image
from srd_core.scenes.backgrounds import Field, axes, field
from srd_core.scenes.shapes import masks
from srd_core.scenes.world import COLOURS, Scene

_CONTRAST = 0.17
_PAPER = np.array([243, 239, 228], dtype=np.float32)
_PENCIL = np.array([118, 118, 122], dtype=np.float32)


def render(scene: Scene, rng: np.random.Generator, side: int) -> Image:
    """Draw the scene as an RGB image (S, S, 3) uint8."""
    pixels = _paint(scene, rng, side) if scene.domain == "scenes" else _sketch(scene, rng, side)
    image: Image = np.clip(pixels + 0.5, 0, 255).astype(np.uint8)
    return image


def _paint(scene: Scene, rng: np.random.Generator, side: int) -> Field:
    """Solid shapes with a darker rim and a little light from above, on a texture of two close, muted tones."""
    pixels: Field = _mix(*_tones(rng), field(scene.background, rng, side))
    light = 1.12 - 0.24 * axes(side)[1]
    for thing in scene.things:
        whole, body = masks(thing, side, rim=0.014)
        colour = np.array(COLOURS[thing.colour], dtype=np.float32)
        pixels = _over(pixels, colour * 0.55, whole)
        pixels = _over(pixels, np.minimum(colour * light[..., None], 255), body)
    return pixels


def _sketch(scene: Scene, rng: np.random.Generator, side: int) -> Field:
    """Coloured outlines with grey hatching inside, on paper whose texture is drawn in faint pencil."""
    fibres = field("grainy", rng, side)
    pixels: Field = _PAPER - 9 * fibres[..., None]
    ground = field(scene.background, rng, side)
    pixels = _over(pixels, _PENCIL, 0.34 * ground)
    x, y = axes(side)
    for thing in scene.things:
        whole, body = masks(thing, side, rim=0.034)
        slope = float(rng.uniform(0.6, 1.5))
        lines = 0.5 + 0.5 * np.sin(2 * np.pi * (x + slope * y) / (0.068 * slope))
        pixels = _over(pixels, np.array(COLOURS[thing.colour], dtype=np.float32), whole)
        pixels = _over(pixels, _PAPER, body)
        pixels = _over(pixels, _PENCIL, body * lines * 0.8)
    return pixels


def _tones(rng: np.random.Generator) -> tuple[Field, Field]:
    """Two muted colours (3,) of one hue that differ in lightness."""
    hue, tint, value = float(rng.random()), float(rng.uniform(0.06, 0.26)), float(rng.uniform(0.6, 0.92 - _CONTRAST))
    pair = [colorsys.hsv_to_rgb(hue, tint, v) for v in (value, value + _CONTRAST)]
    dark, bright = (np.array(c, dtype=np.float32) * 255 for c in pair)
    return dark, bright


def _mix(first: Field, second: Field, share: Field) -> Field:
    mixed: Field = first + (second - first) * share[..., None]
    return mixed


def _over(pixels: Field, colour: Field, cover: Field) -> Field:
    mixed: Field = pixels + (colour - pixels) * cover[..., None]
    return mixed
