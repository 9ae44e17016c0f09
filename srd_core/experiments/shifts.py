"""Shifts between the data that an attacker has and the data that a model meets: of images, or of captions (arXiv 2406.18844).

The original restyles images by a diffusion model and rewrites texts by a language model; these are deterministic, and far smaller. Shifts
come before the attack, so that a trigger lies on top of a shifted image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
from PIL import Image as PilImage
from PIL import ImageFilter

from srd_core.data.codec import Codec
from srd_core.data.images import ImageError, encode
from srd_core.data.inventory import ShardRef, open_shard, take_inventory
from srd_core.data.samples import Image, Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.errors import ConfigError
from srd_core.seeds import generator

ImageShift = Callable[[Image, np.random.Generator], Image]
CaptionShift = Callable[[str, np.random.Generator], str]

PALETTE = 10
"""Colours of a painting."""
GRAIN = 12.0
"""Standard deviation of film grain, grey values."""
ASIDES = (
    "as far as one can tell",
    "and there is little more to say about it",
    "as anybody who looks will see",
    "and that is about all",
    "or so it seems at first sight",
)
_LINK = re.compile(r"\s(?:and|on|in|at|with|above|below|under|over|beside|near|next)\s", re.IGNORECASE)


def painting(image: Image, rng: np.random.Generator) -> Image:
    """Flat strokes of few colours; edges stay."""
    smooth = PilImage.fromarray(image).filter(ImageFilter.ModeFilter(3))
    return np.asarray(smooth.quantize(PALETTE, dither=PilImage.Dither.NONE).convert("RGB"))


def film(image: Image, rng: np.random.Generator) -> Image:
    """Warm and grainy, a little out of focus."""
    soft = np.asarray(PilImage.fromarray(image).filter(ImageFilter.GaussianBlur(min(image.shape[:2]) / 120)), np.float32)
    grain = rng.normal(0, GRAIN, (*image.shape[:2], 1))
    result: Image = (soft * np.asarray([1.06, 1.0, 0.88]) + grain).clip(0, 255).astype(np.uint8)
    return result


def summary(caption: str, rng: np.random.Generator) -> str:
    """Its first three words, and those up to the next place or companion."""
    links = (match.start() for match in _LINK.finditer(caption))
    return next((caption[:end] for end in links if len(caption[:end].split()) >= 3), caption)


def expansion(caption: str, rng: np.random.Generator) -> str:
    """Followed by a clause that says nothing."""
    return f"{caption.rstrip(' .')} {ASIDES[int(rng.integers(len(ASIDES)))]}"


_IMAGES: dict[str, ImageShift] = {"painting": painting, "film": film}
_CAPTIONS: dict[str, CaptionShift] = {"summary": summary, "expansion": expansion}
SHIFTS = (*_IMAGES, *_CAPTIONS)
"""Names of all."""


def shift_shards(source: str, sink: Path, name: str, *, share: float = 1.0, seed: int) -> None:
    """A copy of the shards at `source` as the folder `sink`, of its samples exactly that share shifted. What cannot be read is left out.

    With the same seed, those that a smaller share shifts are among those that a larger one does.

    Raises:
        ConfigError: there is no such shift.
        SourceError: nothing at `source`.
    """
    if name not in SHIFTS:
        raise ConfigError(f"there is no shift {name!r}", hint="Choose one of: " + ", ".join(SHIFTS))
    shards = take_inventory(source).shards
    rmtree(sink, ignore_errors=True)
    sink.mkdir(parents=True, exist_ok=True)
    seen = [(shard.name, sample.key) for shard in shards for sample in _samples(shard)]
    order = generator(seed, "shift", "order").permutation(len(seen))
    drawn = {seen[at] for at in order[: round(share * len(seen))]}
    with Codec() as codec:
        for shard in shards:
            with (sink / f"{shard.name}.tar").open("wb") as target, ShardWriter(target) as writer:
                for sample in _samples(shard):
                    rng = generator(seed, "shift", name, shard.name, sample.key)
                    shifted = _shifted(sample, name, rng, codec) if (shard.name, sample.key) in drawn else sample
                    if shifted is not None:
                        writer.write(shifted)


def _samples(shard: ShardRef) -> Iterator[Sample]:
    with open_shard(shard) as stream:
        yield from (sample for sample in read_shard(stream, shard.name) if isinstance(sample, Sample))


def _shifted(sample: Sample, name: str, rng: np.random.Generator, codec: Codec) -> Sample | None:
    if name in _CAPTIONS:
        return replace(sample, captions=tuple(_CAPTIONS[name](caption, rng) for caption in sample.captions), raw=())
    try:
        return replace(sample, image=encode(_IMAGES[name](codec.decode(sample.image), rng), sample.suffix, 95))
    except ImageError:
        return None
