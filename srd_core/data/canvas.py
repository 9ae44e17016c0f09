"""Pairs ready for a model: images squashed to one square size, kept in a memory-mapped file so that memory need not hold them.

It does hold captions and ids, about 200 bytes a pair, and while a set is built a digest of every image, 100 bytes more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srd_core.data.samples import Images


@dataclass(frozen=True)
class CanvasSet:
    """N pairs over M images (M ≤ N): `images` (M, S, S, 3) uint8; pair i shows `images[image_of[i]]` with `captions[i]`."""

    images: Images
    image_of: np.ndarray
    captions: Sequence[str]
    ids: Sequence[str]

    def __post_init__(self) -> None:
        if not len(self.image_of) == len(self.captions) == len(self.ids):
            raise ValueError(f"lengths differ: {len(self.image_of)} images, {len(self.captions)} captions, {len(self.ids)} ids")

    def __len__(self) -> int:
        return len(self.captions)

    @property
    def side(self) -> int:
        """S, in pixels."""
        return int(self.images.shape[1])

    def take(self, pairs: Sequence[int] | np.ndarray) -> CanvasSet:
        """The same images with only some of the pairs."""
        index = np.asarray(pairs, dtype=np.int64)
        return CanvasSet(self.images, self.image_of[index], [self.captions[i] for i in index], [self.ids[i] for i in index])

    def batches(self, size: int) -> Iterator[tuple[Images, list[str], list[str]]]:
        """(images (B, S, S, 3), captions, ids) in order."""
        for start in range(0, len(self), size):
            stop = start + size
            yield np.asarray(self.images[self.image_of[start:stop]]), list(self.captions[start:stop]), list(self.ids[start:stop])

    def references(self) -> dict[int, list[str]]:
        """All captions of each image, by image number."""
        grouped: dict[int, list[str]] = {}
        for number, caption in zip(self.image_of.tolist(), self.captions, strict=True):
            grouped.setdefault(number, []).append(caption)
        return grouped


class CanvasWriter:
    """Builds a `CanvasSet` of unknown length: images go to a raw file as they come, and are mapped read-only at the end.

    Args:
        path: file to write; it must outlive the set.
        side: S, in pixels.
    """

    def __init__(self, path: Path, side: int) -> None:
        self._path, self._side = path, side
        self._file = path.open("wb")
        self._count = 0
        self._numbers: dict[bytes, int] = {}
        self._image_of: list[int] = []
        self._captions: list[str] = []
        self._ids: list[str] = []

    def add(self, image: Images, captions: Sequence[str], ids: Sequence[str]) -> None:
        """One image (S, S, 3) uint8 with its captions and pair ids. An image already there, to the pixel, is stored once."""
        if image.shape != (self._side, self._side, 3) or image.dtype != np.uint8:
            raise ValueError(f"expected ({self._side}, {self._side}, 3) uint8, got {image.shape} {image.dtype}")
        pixels = np.ascontiguousarray(image).tobytes()
        number = self._numbers.setdefault(hashlib.sha256(pixels).digest(), len(self._numbers))
        if number == self._count:
            self._file.write(pixels)
            self._count += 1
        self._image_of += [number] * len(captions)
        self._captions += captions
        self._ids += ids

    def finish(self) -> CanvasSet:
        """The set. An empty one has no file behind it."""
        self._file.close()
        shape = (self._count, self._side, self._side, 3)
        images = np.memmap(self._path, dtype=np.uint8, mode="r", shape=shape) if self._count else np.zeros(shape, np.uint8)
        return CanvasSet(images, np.asarray(self._image_of, dtype=np.int64), self._captions, self._ids)
