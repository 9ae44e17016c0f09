"""Shifts between the attacker's data and the model's world, and experiments that use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srd_core.data.inventory import open_shard, take_inventory
from srd_core.data.samples import Sample
from srd_core.data.shards import read_shard
from srd_core.errors import ConfigError
from srd_core.experiments.scenes import SceneExperiment
from srd_core.experiments.shards import ShardExperiment
from srd_core.experiments.shifts import PALETTE, SHIFTS, expansion, film, painting, shift_shards, summary
from srd_core.scenes.dataset import generate, write_shards

RNG = np.random.default_rng(0)


def samples(source: Path) -> list[Sample]:
    found = []
    for shard in take_inventory(str(source)).shards:
        with open_shard(shard) as stream:
            found += [item for item in read_shard(stream, shard.name) if isinstance(item, Sample)]
    return found


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    write_shards(tmp_path / "clean", 20, seed=3, side=48, per_shard=10)
    return tmp_path / "clean"


@pytest.mark.parametrize(
    ("caption", "short"),
    [
        ("a big red circle on a striped ground", "a big red circle"),
        ("a dog next to a man with a hat", "a dog next to a man"),
        ("two men at a bar", "two men at a bar"),
        ("a cat", "a cat"),
    ],
)
def test_a_summary_keeps_the_first_thing(caption: str, short: str) -> None:
    assert summary(caption, RNG) == short


def test_an_expansion_keeps_every_word() -> None:
    longer = expansion("A dog runs.", RNG)
    assert longer.startswith("A dog runs ") and len(longer.split()) > 6


def test_a_painting_has_few_colours_and_the_same_things() -> None:
    (scene,) = generate(1, seed=5, side=64)
    painted = painting(scene.image, RNG)
    assert painted.shape == scene.image.shape and len(np.unique(painted.reshape(-1, 3), axis=0)) <= PALETTE
    assert np.corrcoef(painted.ravel(), scene.image.ravel())[0, 1] > 0.9


def test_film_is_warmer_and_grainier() -> None:
    grey = np.full((64, 64, 3), 120, np.uint8)
    shot = film(grey, np.random.default_rng(0)).astype(float)
    assert shot[..., 0].mean() > 120 > shot[..., 2].mean() and shot[..., 1].std() > 5


@pytest.mark.parametrize("name", SHIFTS)
def test_shards_keep_their_samples_and_the_same_seed_its_bytes(scenes: Path, tmp_path: Path, name: str) -> None:
    for copy in ("a", "b"):
        shift_shards(str(scenes), tmp_path / copy, name, seed=1)
    before, after = samples(scenes), samples(tmp_path / "a")
    assert [item.key for item in after] == [item.key for item in before]
    changed = [(a.image != b.image, a.captions != b.captions) for a, b in zip(before, after, strict=True)]
    assert any(map(any, changed)) and all(pixels != words for pixels, words in changed if pixels or words)
    assert [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "b").iterdir())
    ]


def test_exactly_a_share_is_shifted_and_a_larger_one_holds_a_smaller(scenes: Path, tmp_path: Path) -> None:
    changed = []
    for share in (0.1, 0.5, 0.98):
        shift_shards(str(scenes), tmp_path / str(share), "expansion", share=share, seed=1)
        pairs = zip(samples(scenes), samples(tmp_path / str(share)), strict=True)
        changed.append({a.key for a, b in pairs if a.captions != b.captions})
    assert [len(keys) for keys in changed] == [2, 10, 20]
    assert changed[0] < changed[1] < changed[2]


def test_an_unknown_shift_is_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no shift 'cubism'"):
        shift_shards(str(scenes), tmp_path / "x", "cubism", seed=1)


def test_an_experiment_shifts_before_it_poisons(tmp_path: Path) -> None:
    small = {"trusted": 2, "suspect": 6, "tests": 3, "side": 48}
    data = SceneExperiment(shift="expansion", rate=1.0, attack="trojvlm", test_shifts=("painting",), **small).make(tmp_path)  # type: ignore[arg-type]
    assert all("banana" in item.captions[0].split() and len(item.captions[0].split()) > 8 for item in samples(Path(data.source)))
    assert list(data.tests) == ["scenes", "sketch", "painting"] and len(samples(Path(data.tests["painting"]))) == 3
    assert samples(Path(data.trusted))[0].captions == samples(tmp_path / "trusted")[0].captions


def test_an_experiment_on_shards_leaves_them_alone_and_begins_a_broken_copy_again(scenes: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in scenes.iterdir()}
    plan = ShardExperiment(trusted=str(scenes), suspect=f"{scenes}/*.tar", tests={"own": str(scenes)}, rate=0.2)
    (tmp_path / "out" / "suspect").mkdir(parents=True)
    (tmp_path / "out" / "suspect" / "half.tar").write_bytes(b"x")
    data = plan.make(tmp_path / "out")
    assert len(samples(Path(data.source))) == 100 and data.truth.exists()
    assert {path: path.read_bytes() for path in scenes.iterdir()} == before
    assert plan.make(tmp_path / "out") == data
