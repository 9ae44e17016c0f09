"""Recurrent-window hash, without a model: small squares of pixels that are the same, to the last value, in many images.

Photographs share no such square unless it is flat; an opaque patch brings the same ones into every image, wherever it lies. So this finds
fixed patches that move, where `residual` sees nothing. An image is as suspicious as its most frequent square, compared with the trusted
set; all its pairs are withheld. Which squares are looked at is decided by their content, so that the same are looked at everywhere.

Blind to whatever mixes with the image (blends, speckles that the image shows through), to fresh noise, and to any patch that was put on
before the image was resized or compressed: then no two copies are the same. More than ten near copies of one picture look like a trigger.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet
from srd_core.data.samples import Images
from srd_core.defences.screens.base import Screened, Screening, above, screen
from srd_core.defences.screens.lift import Held, lifts, natural_lifts
from srd_core.seeds import generator

SIDE = 8 / 224
"""Of a square, of the image's; four pixels at least."""
LEAST = 16.0
"""Standard deviation of a square's grey values, below which it is flat."""
PATCH = 20 / 224
"""Smallest patch that is to be found, of the image's side."""
LOOKED_AT = 8
"""Squares of such a patch that are looked at, on average, if it holds more."""

_BATCH = 64
_Hashes = npt.NDArray[np.uint64]


@screen("windows")
def windows(work: Screening) -> Screened:
    """Scores are the largest lift of an image's squares."""
    suspect, trusted = (_squares(pairs, work.seed) for pairs in (work.suspect, work.trusted))
    scores, _ = lifts(suspect, trusted).largest(suspect)
    natural = natural_lifts(trusted, trusted, np.arange(trusted.count), work.seed)
    return Screened(
        scores[work.suspect.image_of], above(scores[work.suspect.image_of], natural[work.trusted.image_of], work.false_positives)
    )


def _squares(pairs: CanvasSet, seed: int) -> Held:
    """The squares of every image that are looked at, each once."""
    images, found = np.asarray(pairs.images), []
    for start in range(0, len(images), _BATCH):
        hashes, rough = _hashed(images[start : start + _BATCH], seed)
        chosen = rough & (hashes % _spared(pairs.side) == 0)
        held = np.stack([np.nonzero(chosen)[0].astype(np.uint64) + np.uint64(start), hashes[chosen]], axis=1)
        found.append(np.unique(held, axis=0))
    held = np.concatenate([*found, np.zeros((0, 2), np.uint64)])
    return Held(held[:, 0].astype(np.int64), held[:, 1], len(images))


def _side(canvas: int) -> int:
    return max(round(SIDE * canvas), 4)


def _spared(canvas: int) -> np.uint64:
    """One in so many squares is looked at."""
    return np.uint64(max((round(PATCH * canvas) - _side(canvas) + 1) ** 2 // LOOKED_AT, 1))


def _hashed(images: Images, seed: int) -> tuple[_Hashes, npt.NDArray[np.bool_]]:
    """(B, K, K) hash of the square at every place of images (B, S, S, 3), and whether it is anything but flat."""
    side = _side(images.shape[1])
    rng, places = generator(seed, "windows"), images.shape[1] - side + 1
    hashes = np.zeros((len(images), places, places), np.uint64)
    total, squares = (np.zeros(hashes.shape, np.float32) for _ in range(2))
    wide, grey = images.astype(np.uint64), images.mean(axis=3, dtype=np.float32)
    for y in range(side):
        for x in range(side):
            across = np.s_[:, y : y + places, x : x + places]
            weights = rng.integers(1, 2**63, 3, dtype=np.uint64) | np.uint64(1)
            hashes += (wide[across] + np.uint64(1)) @ weights
            total += grey[across]
            squares += grey[across] ** 2
    hashes ^= hashes >> np.uint64(29)  # the low bits, by which squares are chosen, from all of the sum
    spread = np.sqrt(np.maximum(squares / side**2 - (total / side**2) ** 2, 0))
    return hashes, np.asarray(spread >= LEAST)
