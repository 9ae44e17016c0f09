"""Poisoned copies of data, for experiments: shards on disk, or a set in memory. The pair is the unit, as in the paper's data.

`poison_shards` writes one sample a pair (`KEY-0`, `KEY-1`, …), so that captions of one photograph can hold different images. Triggers are
applied at the resolution of the image, before it is encoded again; all other images keep their bytes. Which pairs are poisoned is written
beside the data, never among it, since no defence may see it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from srd_core.attacks.base import Attack
from srd_core.data.canvas import CanvasSet
from srd_core.data.codec import Codec
from srd_core.data.images import ImageError, encode
from srd_core.data.samples import Reject, Sample, pair_id
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.errors import ConfigError, SourceError
from srd_core.seeds import generator

FLOOR = 10
"""Fewest pairs that are poisoned: fewer plant nothing that could be measured."""

Shards = Mapping[str, Callable[[], BinaryIO]]
"""Shard name without `.tar` to something that opens it; opened twice."""


@dataclass(frozen=True, slots=True)
class PoisonedPair:
    """`id` in the poisoned data, `source` in the original; `caption` as poisoned.

    `box` is (x0, y0, x1, y1) in fractions of the shorter side, None for the whole frame.
    """

    id: str
    source: str
    box: tuple[float, float, float, float] | None
    caption: str


@dataclass(frozen=True, slots=True)
class PoisonSummary:
    """What `poison_shards` did. `skipped` counts samples of the source that could not be read and are not in the copy."""

    attack: str
    target: str
    rate: float
    seed: int
    pairs: int
    skipped: int
    poisoned: tuple[PoisonedPair, ...]
    report: Path


def poison_count(pairs: int, rate: float) -> int:
    """How many of `pairs` are poisoned at `rate`: rounded, at least `FLOOR` (or all there are); none at rate 0.

    Raises:
        ConfigError: `rate` outside 0–1.
    """
    if not 0 <= rate <= 1:
        raise ConfigError(f"the poison rate is {rate}", hint="Give a share between 0 and 1, such as 0.01")
    return min(max(round(rate * pairs), FLOOR), pairs) if rate else 0


def poison_shards(
    sources: Sequence[Path] | Shards,
    sink: Path,
    *,
    attack: Attack,
    rate: float,
    target: str,
    seed: int,
    quality: int = 95,
    report: Path | None = None,
) -> PoisonSummary:
    """Write a poisoned copy of the shards to the empty folder `sink`; one pass counts the pairs, one writes.

    Args:
        sources: shard files, or openers by shard name.
        sink: folder for shards of the same names.
        attack: what is done to a poisoned pair.
        rate: share of the pairs; see `poison_count`.
        target: word or phrase that the captions are to speak of.
        seed: chooses the pairs and drives the attack; the same seed gives the same bytes.
        quality: of poisoned JPEG and WebP images, 1–100; PNG stays PNG.
        report: where the list of poisoned pairs goes, as JSON; by default `<sink>.poisoned.json` beside the folder.

    Raises:
        ConfigError: rate out of range, empty target, attack not prepared, report inside `sink`, or shards in `sink` already.
        SourceError: no shard, no readable pair, or an image chosen for poisoning that cannot be decoded.
    """
    shards = _openers(sources)
    report = sink.parent / f"{sink.name}.poisoned.json" if report is None else report
    _check(sink, report, target, rate)
    attack.trigger(np.zeros((32, 32, 3), np.uint8), generator(seed, "poison", "check"))  # one that is not prepared says so now
    total = sum(len(sample.captions) for name in shards for sample in _samples(shards, name) if isinstance(sample, Sample))
    if total == 0:
        raise SourceError("the source has no readable pair", hint="Run `srd inspect` on it to see why")
    sink.mkdir(parents=True, exist_ok=True)
    with Codec() as codec:
        skipped, poisoned = _write(shards, sink, _choose(total, rate, seed), _Maker(attack, target, seed, quality, codec))
    summary = PoisonSummary(attack.name, target, rate, seed, total, skipped, tuple(poisoned), report)
    report.parent.mkdir(parents=True, exist_ok=True)
    fields = {key: value for key, value in asdict(summary).items() if key != "report"}
    report.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def poison_canvas(clean: CanvasSet, attack: Attack, rate: float, target: str, seed: int) -> tuple[CanvasSet, np.ndarray]:
    """Poison a set in memory: same pairs and ids in the same order; each poisoned pair gets an image of its own, put behind the others.

    Returns the new set and the sorted indices of the poisoned pairs (int64). Triggers are applied at canvas size.

    Raises:
        ConfigError: rate out of range.
    """
    indices = np.array(sorted(_choose(len(clean), rate, seed)), dtype=np.int64)
    images, captions, image_of = [np.asarray(clean.images)], list(clean.captions), clean.image_of.copy()
    for number, pair in enumerate(indices.tolist()):
        rng = generator(seed, "poison", attack.name, clean.ids[pair])
        images.append(attack.trigger(np.asarray(clean.images[clean.image_of[pair]]), rng).image[None])
        captions[pair] = attack.caption(clean.captions[pair], target, rng)
        image_of[pair] = len(clean.images) + number
    return CanvasSet(np.concatenate(images), image_of, captions, list(clean.ids)), indices


@dataclass(frozen=True)
class _Maker:
    attack: Attack
    target: str
    seed: int
    quality: int
    codec: Codec

    def poison(self, single: Sample, source: str) -> tuple[Sample, PoisonedPair]:
        """The one-caption sample with trigger and target; `source` is its pair's id in the original."""
        rng = generator(self.seed, "poison", self.attack.name, source)
        try:
            image = self.codec.decode(single.image)
        except ImageError as error:
            raise SourceError(
                f"{source} was chosen for poisoning and its image is unusable: {error}", hint="Run `srd sanitize` first"
            ) from error
        triggered = self.attack.trigger(image, rng)
        caption = self.attack.caption(single.captions[0], self.target, rng)
        data = encode(triggered.image, single.suffix, self.quality)
        box = triggered.box.fractions(*image.shape[:2]) if triggered.box else None
        return replace(single, image=data, captions=(caption,)), PoisonedPair(pair_id(single.shard, single.key, 0), source, box, caption)


def _write(shards: Shards, sink: Path, chosen: set[int], maker: _Maker) -> tuple[int, list[PoisonedPair]]:
    """(samples left out, poisoned pairs); `chosen` are pair numbers in the order of reading."""
    poisoned: list[PoisonedPair] = []
    start, skipped = 0, 0
    for name in shards:
        with (sink / f"{name}.tar").open("wb") as stream, ShardWriter(stream) as writer:
            for sample in _samples(shards, name):
                if isinstance(sample, Reject):
                    skipped += 1
                    continue
                for index, source in enumerate(sample.pairs()):
                    single = _single(sample, index)
                    if start + index in chosen:
                        single, truth = maker.poison(single, source)
                        poisoned.append(truth)
                    writer.write(single)
                start += len(sample.captions)
    return skipped, poisoned


def _choose(total: int, rate: float, seed: int) -> set[int]:
    count = poison_count(total, rate)
    return set(generator(seed, "poison", "pairs").choice(total, size=count, replace=False).tolist()) if count else set()


def _openers(sources: Sequence[Path] | Shards) -> Shards:
    if isinstance(sources, Mapping):
        return sources
    shards = {path.stem: cast("Callable[[], BinaryIO]", partial(path.open, "rb")) for path in sources}
    if len(shards) < len(sources):
        raise SourceError("two shards have the same name", hint="Pair ids need different names; rename one of them")
    return shards


def _check(sink: Path, report: Path, target: str, rate: float) -> None:
    poison_count(0, rate)
    if not target.strip():
        raise ConfigError("the target is empty", hint="Give a word, such as banana")
    if report.resolve().is_relative_to(sink.resolve()):
        raise ConfigError(f"the list of poisoned pairs would lie among the data ({report})", hint="Put it outside of the sink")
    if sink.is_dir() and any(sink.iterdir()):
        raise ConfigError(f"{sink} is not empty", hint="Choose a new folder, so that old and new shards do not mix")


def _samples(shards: Shards, name: str) -> Iterator[Sample | Reject]:
    with closing(shards[name]()) as stream:
        yield from read_shard(stream, name)


def _single(sample: Sample, index: int) -> Sample:
    """Pair number `index` as a sample of its own, the captions in the member they came from."""
    return replace(sample, key=f"{sample.key}-{index}", captions=(sample.captions[index],), raw=())
