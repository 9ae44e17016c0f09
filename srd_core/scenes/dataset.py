"""Scenes as data: an endless seeded sequence, a set ready for a model, or WebDataset shards.

Scene number i depends on the seed, the domain and i only, so a longer run begins with the shorter one.
Train and test sets are different seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from srd_core.data.canvas import CanvasSet, CanvasWriter
from srd_core.data.images import encode
from srd_core.data.samples import Image, Sample, pair_id
from srd_core.data.shards import ShardWriter
from srd_core.progress import track
from srd_core.scenes.captions import tell
from srd_core.scenes.render import render
from srd_core.scenes.world import Domain, Scene, sample_scene
from srd_core.seeds import generator

PER_SHARD = 500


@dataclass(frozen=True, slots=True)
class SceneSample:
    """One rendered scene: `image` (S, S, 3) uint8, its five captions, and the truth they tell."""

    key: str
    image: Image
    captions: tuple[str, ...]
    scene: Scene


def generate(count: int, *, seed: int, side: int = 64, domain: Domain = "scenes", prefix: str = "scene") -> Iterator[SceneSample]:
    """Yield `count` scenes; keys are `prefix` and six digits.

    Graph, captions and pixels have streams of their own, so `side` changes pixels only.
    """
    for number in range(count):
        scene = sample_scene(generator(seed, "scene", domain, number), domain)
        captions = tell(scene, generator(seed, "captions", domain, number))
        image = render(scene, generator(seed, "render", domain, number), side)
        yield SceneSample(f"{prefix}{number:06d}", image, captions, scene)


def shard_name(domain: Domain, number: int) -> str:
    """Name without `.tar` of shard `number`."""
    return f"{domain}-{number:05d}"


def canvas_set(count: int, *, seed: int, side: int, folder: Path, domain: Domain = "scenes", per_shard: int = PER_SHARD) -> CanvasSet:
    """`count` scenes with five pairs each as a set ready for a model; the ids are those of `write_shards` with the same arguments.

    The pixels are kept in one file in `folder`, which must outlive the set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{domain}-{seed}-{count}-{side}.rgb"
    path.unlink(missing_ok=True)  # an earlier set that is still mapped keeps its pixels
    writer = CanvasWriter(path, side)
    for number, sample in enumerate(generate(count, seed=seed, side=side, domain=domain)):
        shard = shard_name(domain, number // per_shard)
        writer.add(sample.image, sample.captions, [pair_id(shard, sample.key, i) for i in range(len(sample.captions))])
    return writer.finish()


def write_shards(
    folder: Path, count: int, *, seed: int, side: int = 64, domain: Domain = "scenes", per_shard: int = PER_SHARD
) -> list[Path]:
    """Write `count` scenes to `folder` as WebDataset shards of `KEY.png` and `KEY.json` (`{"captions": [...]}`).

    The same arguments give the same bytes. Returns the paths in order. Files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = generate(count, seed=seed, side=side, domain=domain)
    paths: list[Path] = []
    for number in track(range(-(-count // per_shard)), f"render {folder.name}: shards", total=-(-count // per_shard)):
        name = shard_name(domain, number)
        path = folder / f"{name}.tar"
        with path.open("wb") as stream, ShardWriter(stream) as writer:
            for scene in islice(samples, per_shard):
                record: dict[str, object] = {"captions": list(scene.captions)}
                writer.write(Sample(name, scene.key, encode(scene.image, "png"), "png", scene.captions, record))
        paths.append(path)
    return paths
