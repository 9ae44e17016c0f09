"""Poisoned copies of data, for experiments: shards on disk, or a set in memory.

With the pair as the unit, as in the paper's data, `poison_shards` writes one sample a pair (`KEY-0`, `KEY-1`, …), so that captions of one
photograph can hold different images; with the image as the unit samples stay whole, and all captions of one are poisoned. Triggers are
applied at the resolution of the image, before it is encoded again; all other images keep their bytes. Which pairs are poisoned is written
beside the data, never among it, since no defence may see it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack
from srd_core.data.canvas import CanvasSet
from srd_core.data.codec import Codec
from srd_core.data.images import ImageError, check_writable, encode
from srd_core.data.limits import Limits
from srd_core.data.samples import Image, Reject, Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.data.tar import TarError
from srd_core.errors import ConfigError, SourceError
from srd_core.places import about_place
from srd_core.progress import counter, track
from srd_core.seeds import generator
from srd_core.storage.whole import replaced

FLOOR = 10
"""Fewest units that are poisoned: fewer plant nothing that could be measured."""

_WAITING = 512
"""Samples that are held until those of them that are chosen get their triggers together."""
_PIXELS = 2**26
"""Of the decoded images that get their triggers together."""

Unit = Literal["pair", "image"]
"""What is chosen and counted: single pairs, or images with all their captions."""

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


@dataclass(frozen=True)
class _Source:
    openers: Shards
    limits: Limits

    def samples(self, name: str) -> Iterator[Sample | Reject]:
        """Those of one shard."""
        with self.openers[name]() as stream:
            yield from read_shard(stream, name, self.limits)


@dataclass(frozen=True, slots=True)
class PoisonSummary:
    """What `poison_shards` did. `skipped` counts samples of the source that could not be read and are not in the copy."""

    attack: str
    target: str
    rate: float
    seed: int
    unit: Unit
    pairs: int
    skipped: int
    poisoned: tuple[PoisonedPair, ...]
    report: Path


def poison_count(units: int, rate: float) -> int:
    """How many of `units` are poisoned at `rate`: rounded, at least `FLOOR` (or all there are); none at rate 0.

    Raises:
        ConfigError: `rate` outside 0–1.
    """
    if not 0 <= rate <= 1:
        raise ConfigError(f"the poison rate is {rate}", hint="Give a share between 0 and 1, such as 0.01")
    return min(max(round(rate * units), FLOOR), units) if rate else 0


def list_beside(sink: Path) -> Path:
    """Where the list of poisoned pairs goes if nothing else is said."""
    return sink.parent / f"{sink.name}.poisoned.json"


def check_order(sink: Path, report: Path, attack: Attack, target: str, rate: float) -> None:
    """Look whether a poisoned copy can be written to `sink`, and its list of poisoned pairs to `report`, before anything is.

    Raises:
        ConfigError: rate out of range, a target that is empty or not the attack's, report inside `sink`, or something in `sink` already.
    """
    poison_count(0, rate)
    if not target.strip():
        raise ConfigError("the target is empty", hint="Give a word, such as banana")
    attack.check_target(target)
    if report.resolve().is_relative_to(sink.resolve()):
        raise ConfigError(f"the list of poisoned pairs would lie among the data ({report})", hint="Put it outside of the sink")
    if sink.is_dir() and any(sink.iterdir()):
        raise ConfigError(f"{sink} is not empty", hint="Choose a new folder, so that old and new shards do not mix")


def poison_shards(
    sources: Sequence[Path] | Shards,
    sink: Path,
    *,
    attack: Attack,
    rate: float,
    target: str,
    seed: int,
    unit: Unit = "pair",
    quality: int = 95,
    report: Path | None = None,
    limits: Limits | None = None,
) -> PoisonSummary:
    """Write a poisoned copy of the shards to the empty folder `sink`; one pass counts the pairs, one writes.

    Args:
        sources: shard files, or openers by shard name.
        sink: folder for shards of the same names.
        attack: what is done to a poisoned pair.
        rate: share of the units; see `poison_count`.
        target: word or phrase that the captions are to speak of.
        seed: chooses the pairs and drives the attack; the same seed gives the same bytes.
        unit: what the rate is a share of.
        quality: of poisoned JPEG and WebP images, 1–100; PNG stays PNG.
        report: where the list of poisoned pairs goes, as JSON; by default `<sink>.poisoned.json` beside the folder.
        limits: what is refused.

    Raises:
        ConfigError: rate out of range, a target that is empty or not the attack's, attack not prepared, report inside `sink`, or shards
            in `sink` already.
        SourceError: no shard, no readable pair, an image chosen for poisoning that cannot be decoded, or a name that has no room for the
            number of a pair.
        PlaceError: the list of poisoned pairs cannot be written.
    """
    shards = _Source(_openers(sources), limits or Limits())
    report = list_beside(sink) if report is None else report
    check_order(sink, report, attack, target, rate)
    attack.trigger(np.zeros((32, 32, 3), np.uint8), generator(seed, "poison", "check"))  # one that is not prepared says so now
    sizes, eligible = _survey(shards, attack, unit)
    fit = np.asarray(eligible, bool)
    if len(fit) and rate and not fit.any():
        raise SourceError(
            f"no caption of the source is one that {attack.name} can be put on", hint="Choose another attack or another source"
        )
    if not len(fit):
        raise SourceError("the source has no readable pair", hint="Run `srd inspect` on it to see why")
    sink.mkdir(parents=True, exist_ok=True)
    with Codec(shards.limits) as codec:
        maker, chosen = _Maker(attack, target, seed, quality, codec), _choose(fit, rate, seed)
        with counter(f"write {unit}s", total=len(fit)) as count:
            skipped, poisoned = _write(shards, sink, chosen, maker, unit, count)
    summary = PoisonSummary(attack.name, target, rate, seed, unit, sum(sizes), skipped, tuple(poisoned), report)
    fields = {key: value for key, value in asdict(summary).items() if key != "report"}
    with about_place(report):
        report.parent.mkdir(parents=True, exist_ok=True)
        with replaced(report) as file:  # that it is there says that the copy is finished
            file.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def poison_canvas(clean: CanvasSet, attack: Attack, rate: float, target: str, seed: int) -> tuple[CanvasSet, np.ndarray]:
    """Poison a set in memory: same pairs and ids in the same order; each poisoned pair gets an image of its own, put behind the others.

    Returns the new set and the sorted indices of the poisoned pairs (int64). Triggers are applied at canvas size.

    Raises:
        ConfigError: rate out of range, or the target is not the attack's.
    """
    attack.check_target(target)
    fit = np.asarray([attack.eligible(caption) for caption in clean.captions], bool)
    indices = np.array(sorted(_choose(fit, rate, seed)), dtype=np.int64)
    images, captions, image_of = [np.asarray(clean.images)], list(clean.captions), clean.image_of.copy()
    rngs = [generator(seed, "poison", attack.name, clean.ids[pair]) for pair in indices.tolist()]
    made = attack.triggers([np.asarray(clean.images[clean.image_of[pair]]) for pair in indices.tolist()], rngs)
    for number, (pair, rng, triggered) in enumerate(zip(indices.tolist(), rngs, made, strict=True)):
        images.append(triggered.image[None])
        captions[pair] = attack.caption(clean.captions[pair], target, rng)
        image_of[pair] = len(clean.images) + number
    return CanvasSet(np.concatenate(images), image_of, captions, list(clean.ids)), indices


_Poisoned = tuple[Sample, list[PoisonedPair]]


@dataclass(frozen=True)
class _Maker:
    attack: Attack
    target: str
    seed: int
    quality: int
    codec: Codec

    def poison(self, samples: Sequence[Sample], sources: Sequence[Sequence[str]]) -> list[_Poisoned]:
        """Samples with trigger and target; `sources` are their pairs' ids in the original. Of large images, few are held."""
        made: list[_Poisoned] = []
        images: list[Image] = []
        for sample, source in zip(samples, sources, strict=True):
            images.append(self._decoded(sample, source[0]))
            done = len(made) + len(images)
            if done == len(samples) or sum(image.shape[0] * image.shape[1] for image in images) > _PIXELS:
                made += self._with_triggers(samples[len(made) : done], sources[len(made) : done], images)
                images = []
        return made

    def _with_triggers(self, samples: Sequence[Sample], sources: Sequence[Sequence[str]], images: Sequence[Image]) -> list[_Poisoned]:
        made = []
        rngs = [generator(self.seed, "poison", self.attack.name, source[0]) for source in sources]
        triggered = self.attack.triggers(images, rngs)
        for sample, source, rng, image, found in zip(samples, sources, rngs, images, triggered, strict=True):
            captions = tuple(self.attack.caption(caption, self.target, rng) for caption in sample.captions)
            data = encode(found.image, sample.suffix, self.quality)
            box = found.box.fractions(*image.shape[:2]) if found.box else None
            names = zip(sample.pairs(), source, captions, strict=True)
            truth = [PoisonedPair(pair, origin, box, caption) for pair, origin, caption in names]
            made.append((replace(sample, image=data, captions=captions, raw=()), truth))
        return made

    def _decoded(self, sample: Sample, source: str) -> Image:
        try:
            image = self.codec.decode(sample.image)
            check_writable(sample.suffix, *image.shape[:2])
            return image
        except ImageError as error:
            raise SourceError(
                f"{source} was chosen for poisoning and its image is unusable: {error}", hint="Run `srd sanitize` first"
            ) from error


def _write(
    shards: _Source, sink: Path, chosen: set[int], maker: _Maker, unit: Unit, count: Callable[[int], None]
) -> tuple[int, list[PoisonedPair]]:
    """(samples left out, poisoned pairs); `chosen` are numbers of units in the order of reading; `count` is told of units written."""
    poisoned: list[PoisonedPair] = []
    start, skipped = 0, 0
    for name in shards.openers:
        with (sink / f"{name}.tar").open("wb") as stream, ShardWriter(stream, shards.limits) as writer:
            waiting: list[_Waiting] = []
            for sample in shards.samples(name):
                if isinstance(sample, Reject):
                    skipped += 1
                    continue
                units = _units(sample, unit)
                waiting += [_Waiting(made, sources, start + index in chosen) for index, (made, sources) in enumerate(units)]
                start += len(units)
                if len(waiting) >= _WAITING:
                    poisoned += _flush(waiting, writer, maker, count)
            poisoned += _flush(waiting, writer, maker, count)
    return skipped, poisoned


class _Waiting(NamedTuple):
    sample: Sample
    sources: list[str]
    chosen: bool


def _flush(waiting: list[_Waiting], writer: ShardWriter, maker: _Maker, count: Callable[[int], None]) -> list[PoisonedPair]:
    """Poison those that are chosen, all at once, and write everything in order."""
    chosen = [item for item in waiting if item.chosen]
    made = maker.poison([item.sample for item in chosen], [item.sources for item in chosen])
    poisoned = iter(made)
    for item in waiting:
        sample = next(poisoned)[0] if item.chosen else item.sample
        try:
            writer.write(sample)
        except TarError as error:
            hint = "Shorten the name, or take whole images, whose names stay as they are (`--unit image`)"
            raise SourceError(f"{sample.shard}/{sample.key} cannot be written: {error}", hint=hint) from error
    count(len(waiting))
    waiting.clear()
    return [pair for _, truth in made for pair in truth]


def _survey(shards: _Source, attack: Attack, unit: Unit) -> tuple[list[int], list[bool]]:
    """Of every unit, in order: how many pairs it has, and whether it may be poisoned."""
    samples = (
        item
        for name in track(shards.openers, "read shards", total=len(shards.openers))
        for item in shards.samples(name)
        if isinstance(item, Sample)
    )
    units = (made.captions for sample in samples for made, _ in _units(sample, unit))
    found = [(len(captions), any(map(attack.eligible, captions))) for captions in units]
    return [size for size, _ in found], [fit for _, fit in found]


def _units(sample: Sample, unit: Unit) -> list[tuple[Sample, list[str]]]:
    """The samples that are written of one, each with the ids that its pairs have in the original."""
    if unit == "image":
        return [(sample, sample.pairs())]
    return [(_single(sample, index), [source]) for index, source in enumerate(sample.pairs())]


def _choose(eligible: npt.NDArray[np.bool_], rate: float, seed: int) -> set[int]:
    """Numbers of the units to poison: the rate is of all, as far as there are eligible ones."""
    numbers = np.flatnonzero(eligible)
    count = min(poison_count(len(eligible), rate), len(numbers))
    return set(generator(seed, "poison", "pairs").choice(numbers, size=count, replace=False).tolist()) if count else set()


def _openers(sources: Sequence[Path] | Shards) -> Shards:
    if isinstance(sources, Mapping):
        return sources
    shards = {path.stem: cast("Callable[[], BinaryIO]", partial(path.open, "rb")) for path in sources}
    if len(shards) < len(sources):
        raise SourceError("two shards have the same name", hint="Pair ids need different names; rename one of them")
    return shards


def _single(sample: Sample, index: int) -> Sample:
    """Pair number `index` as a sample of its own, the captions in the member they came from."""
    return replace(sample, key=f"{sample.key}-{index}", captions=(sample.captions[index],), raw=())
