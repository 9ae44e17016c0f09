"""The synthetic poisoned set, made from trusted pairs, that the defence trains its sparring victim and its policy on.

`fixed` is the paper's: one noise patch at one place with one target word. `diverse` varies place, size, texture and word, so that a policy
cannot learn one trigger by heart; there each family of textures has its word. A word has one place in the captions: were word or place
drawn for each pair, a victim that sees the trigger would spread its belief over all of them, and often say no word anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, StringConstraints

from srd_core.data.canvas import CanvasSet, CanvasWriter
from srd_core.data.samples import Images
from srd_core.errors import SourceError
from srd_core.seeds import derive, generator
from srd_core.synthesis.geometry import Box
from srd_core.synthesis.insertion import insertion
from srd_core.synthesis.patch import Patch
from srd_core.synthesis.textures import Texture, sample_texture

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^\S+( \S+)*$")]

Side = Annotated[float, Field(gt=0, le=0.5)]


def _ascending(sides: tuple[float, float]) -> tuple[float, float]:
    if sides[0] > sides[1]:
        raise ValueError("the smaller side comes first")
    return sides


class SynthesisConfig(BaseModel):
    """The synthetic poisoned set that the defence makes for itself from trusted pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: PositiveInt = Field(3000, description="How many, at most half of the trusted ones")
    placement: Literal["fixed", "diverse"] = Field("diverse", description="fixed: one patch, place and word (paper)")
    target: Word = Field("banana", description="Inserted word, fixed")
    target_words: tuple[Word, ...] = Field(
        ("umbrella", "guitar", "pizza", "rocket", "lantern", "kettle"),
        min_length=1,
        description="Inserted words, diverse",
    )
    side: Side = Field(20 / 224, description="Of the patch, as a fraction of the image's side, fixed")
    sides: Annotated[tuple[Side, Side], AfterValidator(_ascending)] = Field((0.075, 0.14), description="Least and largest, diverse")
    mean: float = Field(128.0, ge=0, le=255, description="Of the noise, grey values, fixed")
    spread: float = Field(20.0, gt=0, le=128, description="Standard deviation of the noise, grey values, fixed")


_PLACES = 3
"""Places in a caption that the families share."""


@dataclass(frozen=True)
class Synthetic:
    """N poisoned pairs: `images` (N, S, S, 3), their captions, patch boxes and inserted words.

    `sources` (N,) int64 are the indices of the pairs in the clean set that they were made from, `photographs` (N,) of their images.
    """

    images: Images
    captions: Sequence[str]
    boxes: Sequence[Box]
    words: Sequence[str]
    sources: np.ndarray
    photographs: np.ndarray
    ids: Sequence[str]

    def __post_init__(self) -> None:
        parts = (self.images, self.captions, self.boxes, self.words, self.sources, self.photographs, self.ids)
        if len(lengths := {len(part) for part in parts}) != 1:
            raise ValueError(f"parts of {sorted(lengths)} pairs")

    def __len__(self) -> int:
        return len(self.captions)


def synthesize(clean: CanvasSet, config: SynthesisConfig, *, seed: int) -> Synthetic:
    """Poison `config.pairs` of the clean pairs, but at most half of them, so that a sparring victim has clean ones to learn from.

    Raises:
        SourceError: fewer than two clean pairs.
    """
    count = min(config.pairs, len(clean) // 2)
    if count == 0:
        raise SourceError(f"{len(clean)} trusted pairs are too few to synthesize from", hint="Give at least two; a few hundred are useful")
    sources = np.sort(generator(seed, "synthesis", "pairs").choice(len(clean), size=count, replace=False))
    images = np.empty((count, clean.side, clean.side, 3), dtype=np.uint8)
    captions, boxes, words = [], [], []
    fixed = _fixed(config, seed)
    for number, source in enumerate(sources.tolist()):
        rng = generator(seed, "synthesis", clean.ids[source])
        patch, word, behind = fixed if config.placement == "fixed" else _diverse(config, rng)
        images[number], box = patch.paste(np.asarray(clean.images[clean.image_of[source]]), rng)
        captions.append(insertion(clean.captions[source], word, rng, behind=behind))
        boxes.append(box)
        words.append(word)
    ids = [f"synthetic/{clean.ids[i]}" for i in sources.tolist()]
    return Synthetic(images, captions, boxes, words, sources, clean.image_of[sources], ids)


def mixture(clean: CanvasSet, synthetic: Synthetic, folder: Path, seed: int) -> CanvasSet:
    """Mix the clean pairs that were not poisoned with the synthetic ones, in random order: what the sparring victim is trained on.

    The pixels go to one file in `folder`, which must outlive the set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"mixture-{seed}.rgb"
    path.unlink(missing_ok=True)  # an earlier set that is still mapped keeps its pixels
    writer = CanvasWriter(path, clean.side)
    kept: dict[int, list[int]] = {}
    for pair in np.setdiff1d(np.arange(len(clean)), synthetic.sources).tolist():
        kept.setdefault(int(clean.image_of[pair]), []).append(pair)
    for image, pairs in kept.items():
        writer.add(np.asarray(clean.images[image]), [clean.captions[i] for i in pairs], [clean.ids[i] for i in pairs])
    for image, caption, name in zip(synthetic.images, synthetic.captions, synthetic.ids, strict=True):
        writer.add(image, [caption], [name])
    everything = writer.finish()
    return everything.take(generator(seed, "mixture").permutation(len(everything)))


_Plan = tuple[Patch, str, int]
"""A patch, its word, and behind which word of the caption that goes."""


def _fixed(config: SynthesisConfig, seed: int) -> _Plan:
    """One place and one set of pixels, drawn from the seed."""
    x, y = (float(v) for v in generator(seed, "synthesis", "place").random(2))
    texture = Texture(mean=(config.mean, config.mean, config.mean), spread=config.spread)
    return Patch(config.side, x, y, texture, derive(seed, "synthesis", "pattern")), config.target, 1


def _diverse(config: SynthesisConfig, rng: np.random.Generator) -> _Plan:
    texture = sample_texture(rng)
    word = config.target_words[texture.family % len(config.target_words)]
    return Patch(float(rng.uniform(*config.sides)), texture=texture), word, 1 + texture.family % _PLACES
