"""Which image a caption sees: its own, after any defence; the first copy's, under the control for the official code's join by file name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from srd_core.attacks import get
from srd_core.attacks.poison import poison_shards
from srd_core.config import Arm, load_config
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import read_shard
from srd_core.defences.collision import first_copies
from srd_core.scenes.dataset import write_shards
from srd_core.stages import inventory
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Run

RATE = 0.3


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 scenes, one sample a pair; the list of the poisoned pairs beside them."""
    folder = tmp_path_factory.mktemp("joins")
    clean = write_shards(folder / "clean", 400, seed=5, side=16, per_shard=200)
    poison_shards(clean, folder / "suspect", attack=get("badnet"), rate=RATE, target="banana", seed=1)
    return folder / "suspect"


def treated(source: Path, sink: Path, arm: Arm) -> dict[str, Sample]:
    """Samples by key as the arm hands them on."""
    run = Run(str(source), str(sink), "", load_config("test", overrides=["cleanse.verbatim=true"]))
    stage, suspect = cleanse_stage(run, arm), inventory.take(run, "source")
    names = [shard.name for shard in shards_of(suspect)]
    made = stage.execute(run, {"source": suspect}, {"arm": arm, "shards": names})
    found = {}
    for name, ref in made.outputs.items():
        if name.endswith(".tar"):
            with Path(ref.uri).open("rb") as stream:
                found |= {item.key: item for item in read_shard(stream, "s") if isinstance(item, Sample)}
    return found


def digest(sample: Sample) -> str:
    return hashlib.sha256(sample.image).hexdigest()


def test_two_captions_of_one_photograph_keep_different_images(poisoned: Path, tmp_path: Path) -> None:
    found = treated(poisoned, tmp_path, "none")
    truth = {item["id"] for item in json.loads(poisoned.with_suffix(".poisoned.json").read_text())["poisoned"]}
    bad = {pair.split("/")[1].split("#")[0] for pair in truth}
    mixed = [key for key in bad for other in [f"{key.rpartition('-')[0]}-{i}" for i in range(5)] if other not in bad]
    assert len(mixed) > 100
    for key in mixed:
        stem = key.rpartition("-")[0]
        clean = next(f"{stem}-{i}" for i in range(5) if f"{stem}-{i}" not in bad)
        assert digest(found[key]) != digest(found[clean])


def test_the_collision_alone_parts_triggers_from_targets(poisoned: Path, tmp_path: Path) -> None:
    """P(trigger kept | target caption) = 1/5 + 4p/5 with five captions a photograph, p the poison rate."""
    own, joined = treated(poisoned, tmp_path / "a", "none"), treated(poisoned, tmp_path / "b", "collision")
    truth = {item["id"] for item in json.loads(poisoned.with_suffix(".poisoned.json").read_text())["poisoned"]}
    bad = {pair.split("/")[1].split("#")[0] for pair in truth}
    triggered = {digest(own[key]) for key in bad}
    kept = [digest(joined[key]) in triggered for key in bad]
    assert sum(kept) / len(kept) == pytest.approx(1 / 5 + 4 * RATE / 5, abs=0.06)
    assert {key: sample.captions for key, sample in joined.items()} == {key: sample.captions for key, sample in own.items()}


def test_masks_after_the_collision_are_those_of_the_first_copy(poisoned: Path, tmp_path: Path) -> None:
    """The official code masks first and joins then; one image always gets one mask, so five captions see one masked copy either way."""
    masked, joined = treated(poisoned, tmp_path / "a", "random"), treated(poisoned, tmp_path / "b", "collision-random")
    assert len(joined) == len(masked) == 2000
    for key, sample in joined.items():
        first = masked[f"{key.rpartition('-')[0]}-0"]
        assert digest(sample) == digest(first) and sample.captions == masked[key].captions


def test_photographs_are_told_apart_by_what_stands_before_the_number() -> None:
    def sample(key: str, image: bytes) -> Sample:
        return Sample("s", key, image, "jpg", ("x",))

    keys = ["a-0", "a-1", "b-0", "b-10", "c", "c-d", "a-0"]
    items = [sample(key, str(number).encode()) for number, key in enumerate(keys)]
    items.insert(1, Reject("s", "bad", "no-caption", "", 1))  # type: ignore[arg-type]
    found = list(first_copies(items))
    assert [item.image for item in found if isinstance(item, Sample)] == [b"0", b"0", b"2", b"2", b"4", b"5", b"6"]
    assert isinstance(found[1], Reject)
