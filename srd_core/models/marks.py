"""Stickers and veils on training images, told in the captions: what keeps a model trained from nothing from being blind to texture.

A published vision encoder sees small textures and faint overlays, because its training data had them. One trained on a few thousand plain
images learns to ignore them, cannot be backdoored, and so says nothing about a defence. Here a share of the images gets a small
sticker (noise, checks, stripes, dots, plain; any place) or a faint veil (stripes, checks, rings, blobs), and its captions say so.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet, CanvasWriter
from srd_core.data.samples import Image
from srd_core.models.text import bare
from srd_core.seeds import generator

_STICKERS = ("speckled", "grainy", "chequered", "striped", "dotted", "plain", "dark", "white")
_VEILS = ("striped", "chequered", "ringed", "blotchy")
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")

Pattern = npt.NDArray[np.float64]


def with_marks(pairs: CanvasSet, folder: Path, *, stickers: float, veils: float, seed: int, copies: int = 1) -> CanvasSet:
    """`copies` copies of the set in which the given shares of the images carry a mark and all their captions tell it.

    Args:
        pairs: any set.
        folder: for the pixel file; it must outlive the copy.
        stickers: share of the images, 0 to 1.
        veils: likewise; an image gets at most one mark.
        seed: draws images and marks.
        copies: of each image, each with a draw of its own; of a small set made only once, the marks would be learned by heart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = CanvasWriter(folder / f"marked-{seed}.rgb", pairs.side)
    members: dict[int, list[int]] = {}
    for pair, number in enumerate(pairs.image_of.tolist()):
        members.setdefault(number, []).append(pair)
    for copy, (number, own) in itertools.product(range(copies), members.items()):
        rng = generator(seed, "marks", number, copy) if copy else generator(seed, "marks", number)
        drawn = float(rng.random())
        image, words = np.asarray(pairs.images[number]), ""
        if drawn < stickers:
            image, words = sticker(image, rng)
        elif drawn < stickers + veils:
            image, words = veil(image, rng)
        writer.add(image, [f"{bare(pairs.captions[i])}{words}" for i in own], [f"{pairs.ids[i]}{f'.{copy}' if copy else ''}" for i in own])
    return writer.finish()


def sticker(image: Image, rng: np.random.Generator) -> tuple[Image, str]:
    """A small square pasted somewhere (corners as often as elsewhere), and the words for it."""
    side = image.shape[0]
    size = max(3, round(float(rng.uniform(0.07, 0.2)) * side))
    spots = rng.random(2) if rng.random() < 0.5 else rng.integers(0, 2, 2)
    row, column = (round(float(spot) * (side - size)) for spot in spots)
    kind = _STICKERS[int(rng.integers(len(_STICKERS)))]
    marked = image.copy()
    region = marked[row : row + size, column : column + size]
    paper, ink = rng.integers(0, 256, (2, 3))
    texture = _sticker(kind, size, rng)
    colours = texture if texture.ndim == 3 else paper + texture[..., None] * (ink.astype(np.float64) - paper)
    region[:] = np.clip(colours, 0, 255).astype(np.uint8)
    third = side / 3
    place = f"{_ROWS[int((row + size / 2) // third)]} {_COLUMNS[int((column + size / 2) // third)]}"
    return marked, f" with a {kind} sticker in the {place}"


def veil(image: Image, rng: np.random.Generator) -> tuple[Image, str]:
    """A faint pattern over the whole frame, and the words for it."""
    kind = _VEILS[int(rng.integers(len(_VEILS)))]
    strength = float(rng.uniform(0.07, 0.25))
    pattern = _veil(kind, image.shape[0], rng)[..., None] * rng.integers(80, 256, 3)
    mixed = (1 - strength) * image + strength * pattern
    return np.rint(mixed).astype(np.uint8), f" behind a {kind} veil"


def _sticker(kind: str, size: int, rng: np.random.Generator) -> Pattern:
    """(size, size) mixing weights, or (size, size, 3) grey values where the pattern has colours of its own."""
    rows, columns = np.mgrid[:size, :size]
    cell = int(rng.integers(1, 4))
    if kind == "speckled":
        return rng.normal(rng.uniform(0, 200), rng.uniform(20, 70), (size, size, 3))
    if kind == "grainy":
        return np.repeat(rng.normal(rng.uniform(40, 215), rng.uniform(15, 60), (size, size, 1)), 3, axis=2)
    if kind in ("dark", "white"):
        return np.full((size, size, 3), rng.uniform(0, 30) if kind == "dark" else rng.uniform(225, 255))
    if kind == "chequered":
        return np.asarray((rows // cell + columns // cell) % 2.0)
    if kind == "striped":
        return np.asarray((rows // cell) % 2.0)
    if kind == "dotted":
        return np.asarray((rows % (cell + 1) == 0) & (columns % (cell + 1) == 0), dtype=np.float64)
    return np.zeros((size, size))


def _veil(kind: str, side: int, rng: np.random.Generator) -> Pattern:
    """(side, side) in [0, 1]."""
    rows, columns = np.mgrid[:side, :side] / side
    angle, count = rng.uniform(0, np.pi), rng.uniform(2, 9)
    along = np.cos(angle) * rows + np.sin(angle) * columns
    across = np.cos(angle) * columns - np.sin(angle) * rows
    if kind == "striped":
        wave = np.sin(2 * np.pi * count * along)
    elif kind == "chequered":
        wave = np.sin(2 * np.pi * count * along) * np.sin(2 * np.pi * count * across)
    elif kind == "ringed":
        centre = rng.random(2)
        wave = np.sin(2 * np.pi * count * np.hypot(rows - centre[0], columns - centre[1]))
    else:
        phases = rng.uniform(0, 2 * np.pi, 4)
        wave = sum(np.sin(2 * np.pi * (k + 1) * (rows * np.cos(p) + columns * np.sin(p)) + 3 * p) for k, p in enumerate(phases))
    return np.asarray(wave > 0 if rng.random() < 0.5 else (wave - wave.min()) / (np.ptp(wave) + 1e-9), dtype=np.float64)
