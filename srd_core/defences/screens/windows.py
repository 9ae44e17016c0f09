"""Recurrent-window hash, without a model: small squares of pixels that are the same, to the last value, in many images.

Photographs share no such square unless it is flat; an opaque patch brings the same ones into every image, wherever it lies. So this finds
fixed patches that move, where `residual` sees nothing. An image is as suspicious as its most frequent square, compared with the trusted
set; all its pairs are withheld. Which squares are looked at is decided by their content, so that the same are looked at everywhere.

Blind to whatever mixes with the image (blends, speckles that the image shows through), to fresh noise, and to any patch that was put on
before the image was resized or compressed: then no two copies are the same. More than ten near copies of one picture look like a trigger.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet
from srd_core.data.samples import Images
from srd_core.defences.screens.base import Screened, Screening, above, screen
from srd_core.defences.screens.lift import FEWEST, FEWEST_OF_HALF, Held, lifts, natural_lifts
from srd_core.seeds import generator

SIDE = 8 / 224
"""Of a square, of the image's; four pixels at least."""
LEAST = 16.0
"""Standard deviation of a square's grey values, below which it is flat."""
PATCH = 20 / 224
"""Smallest patch that is to be found, of the image's side."""
LOOKED_AT = 8
"""Squares of such a patch that are looked at, on average, if it holds more."""

_BATCH = 16
_CELLS = 2**26
"""Counters for each of the two sets, at most; of four bytes."""
_AT_ONCE = 2**23
"""Frequent squares in memory. Where there are more, they are gone through part by part."""
_FOUND = np.dtype([("square", np.uint64), ("image", np.uint32)])

_Hashes = npt.NDArray[np.uint64]
_Cells = npt.NDArray[np.bool_]


@screen("windows")
def windows(work: Screening) -> Screened:
    """Scores are the largest lift of an image's squares."""
    scores, natural = (np.zeros(len(pairs.images)) for pairs in (work.suspect, work.trusted))
    for suspect, trusted in _frequent(work.suspect, work.trusted, work.seed):
        lifted, _ = lifts(suspect, trusted).largest(suspect)
        scores = np.maximum(scores, lifted)
        natural = np.maximum(natural, natural_lifts(trusted, trusted, np.arange(trusted.count), work.seed))
    return Screened(
        scores[work.suspect.image_of], above(scores[work.suspect.image_of], natural[work.trusted.image_of], work.false_positives)
    )


def _frequent(suspect: CanvasSet, trusted: CanvasSet, seed: int) -> Iterator[tuple[Held, Held]]:
    """What the images of both sets hold of the squares that may have a lift, part by part; a square has all its images in one part.

    The images are gone through twice, to count and to sort what is frequent into files, one of each set for each part. Memory holds about
    0.7 GB at most, whatever the number of images; the files, twelve bytes for every frequent square.
    """
    cells, parts = _frequent_cells(suspect, trusted, seed)
    with tempfile.TemporaryDirectory(prefix="srd-windows-") as folder:
        for name, pairs in (("suspect", suspect), ("trusted", trusted)):
            for part, found in _sorted(pairs, seed, cells, parts):
                with (Path(folder) / f"{name}-{part}").open("ab") as file:
                    file.write(found.tobytes())
        for part in range(parts):
            yield (
                _held(Path(folder) / f"suspect-{part}", len(suspect.images)),
                _held(Path(folder) / f"trusted-{part}", len(trusted.images)),
            )


def _sorted(pairs: CanvasSet, seed: int, cells: _Cells, parts: int) -> Iterator[tuple[int, npt.NDArray[np.void]]]:
    """Stretches of the squares of frequent cells with their images, part by part, a few million at a time."""
    held, count, last = list[npt.NDArray[np.void]](), 0, len(pairs.images) - 1
    for image, squares in enumerate(_squares(pairs, seed)):
        wanted = squares[cells[_cell(squares, len(cells))]]
        found = np.empty(len(wanted), _FOUND)
        found["square"], found["image"] = wanted, image
        held.append(found)
        count += len(found)
        if count < _AT_ONCE // 4 and image < last:
            continue
        every = np.concatenate(held)
        part = _cell(every["square"], len(cells)) % parts
        order = np.argsort(part, kind="stable")
        ends = np.searchsorted(part[order], np.arange(parts + 1))
        yield from ((number, every[order[ends[number] : ends[number + 1]]]) for number in range(parts) if ends[number] < ends[number + 1])
        held, count = [], 0


def _frequent_cells(suspect: CanvasSet, trusted: CanvasSet, seed: int) -> tuple[_Cells, int]:
    """Which counters have reached what a lift takes, and the number of parts of what they count.

    Several squares may share a counter, so it shows too many images or just as many, never too few.
    """
    squares = sum(len(pairs.images) * pairs.side**2 // int(_spared(pairs.side)) for pairs in (suspect, trusted))
    own, theirs = (_counted(pairs, seed, min(2 ** squares.bit_length(), _CELLS)) for pairs in (suspect, trusted))
    cells = (own >= FEWEST) | (theirs >= FEWEST_OF_HALF)
    kept = sum(int(counts.sum(where=cells, dtype=np.int64)) for counts in (own, theirs))
    return cells, kept // _AT_ONCE + 1


def _counted(pairs: CanvasSet, seed: int, cells: int) -> npt.NDArray[np.uint32]:
    """(cells,) how many times images hold a square of that cell."""
    counts = np.zeros(cells, np.uint32)
    for squares in _squares(pairs, seed):
        np.add.at(counts, _cell(squares, cells), 1)
    return counts


def _held(place: Path, images: int) -> Held:
    """What a file of squares holds."""
    found = np.fromfile(place, _FOUND) if place.exists() else np.empty(0, _FOUND)
    return Held(found["image"].astype(np.int64), np.ascontiguousarray(found["square"]), images)


def _cell(squares: _Hashes, cells: int) -> npt.NDArray[np.int64]:
    """The cell of each square, of a power of two: its high bits, since the low ones have chosen it."""
    return (squares >> np.uint64(65 - cells.bit_length())).astype(np.int64)


def _squares(pairs: CanvasSet, seed: int) -> Iterator[_Hashes]:
    """The squares of every image that are looked at, each once."""
    for start in range(0, len(pairs.images), _BATCH):
        hashes, rough = _hashed(np.asarray(pairs.images[start : start + _BATCH]), seed)
        chosen = rough & (hashes % _spared(pairs.side) == 0)
        yield from (np.unique(own[looked]) for own, looked in zip(hashes, chosen, strict=True))


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
    colours, grey = np.moveaxis(images, 3, 0).astype(np.uint64, order="C") + np.uint64(1), images.mean(axis=3, dtype=np.float32)
    for y in range(side):
        for x in range(side):
            across = np.s_[:, y : y + places, x : x + places]
            weights = rng.integers(1, 2**63, 3, dtype=np.uint64) | np.uint64(1)
            for colour, weight in zip(colours, weights, strict=True):
                hashes += colour[across] * weight
            total += grey[across]
            squares += grey[across] ** 2
    hashes ^= hashes >> np.uint64(29)  # the low bits, by which squares are chosen, from all of the sum
    spread = np.sqrt(np.maximum(squares / side**2 - (total / side**2) ** 2, 0))
    return hashes, np.asarray(spread >= LEAST)
