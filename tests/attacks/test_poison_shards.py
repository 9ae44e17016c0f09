"""Poisoned copies of shards: exact numbers, everything else untouched, the truth beside and never among the data."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks import get
from srd_core.attacks.base import Triggered
from srd_core.attacks.noise_patch import NoisePatch
from srd_core.attacks.poison import PoisonSummary, poison_count, poison_shards
from srd_core.data.images import decode, encode
from srd_core.data.limits import Limits
from srd_core.data.samples import Image, Sample
from srd_core.data.shards import ShardWriter, read_shard
from srd_core.data.tar import TarWriter
from srd_core.errors import ConfigError, PlaceError, SourceError
from srd_core.scenes.dataset import write_shards


def _poison(
    source: list[Path], sink: Path, attack: str = "badnet", rate: float = 0.2, seed: int = 5, report: Path | None = None
) -> PoisonSummary:
    return poison_shards(source, sink, attack=get(attack), rate=rate, target="banana", seed=seed, report=report)


def _read(paths: list[Path]) -> dict[str, Sample]:
    items = [item for path in paths for item in read_shard(io.BytesIO(path.read_bytes()), path.stem)]
    assert all(isinstance(item, Sample) for item in items)
    return {f"{item.shard}/{item.key}": item for item in items if isinstance(item, Sample)}


def _photos(folder: Path, count: int, suffix: str, size: tuple[int, int] = (60, 90)) -> Path:
    rng = np.random.default_rng(0)
    path = folder / "photos.tar"
    with path.open("wb") as stream, ShardWriter(stream) as writer:
        for i in range(count):
            image = np.tile(rng.integers(0, 256, (1, 1, 3), dtype=np.uint8), (*size, 1))
            writer.write(Sample("photos", f"p{i}", encode(image, suffix), suffix, ("a plain picture",), None, {"url": b"x"}))
    return path


def test_one_sample_a_pair_in_the_same_shards(shards: list[Path], tmp_path: Path) -> None:
    _poison(shards, tmp_path / "out")
    source, made = _read(shards), _read(sorted((tmp_path / "out").iterdir()))
    assert [p.name for p in sorted((tmp_path / "out").iterdir())] == [p.name for p in shards]
    assert list(made) == [f"{name}-{i}" for name, s in source.items() for i in range(5)]
    assert all(len(s.captions) == 1 and s.record == {"captions": list(s.captions)} for s in made.values())


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 1.0])
def test_the_rate_is_exact(shards: list[Path], tmp_path: Path, rate: float) -> None:
    summary = _poison(shards, tmp_path / "out", rate=rate)
    assert summary.pairs == 120 and len(summary.poisoned) == round(120 * rate)


@pytest.mark.parametrize(
    ("pairs", "rate", "expected"), [(1000, 0.1, 100), (1000, 0.001, 10), (4, 0.01, 4), (1000, 0.0, 0), (10, 1.0, 10), (0, 0.5, 0)]
)
def test_the_count_has_a_floor_and_a_cap(pairs: int, rate: float, expected: int) -> None:
    assert poison_count(pairs, rate) == expected


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_a_rate_outside_its_range_is_refused(shards: list[Path], tmp_path: Path, rate: float) -> None:
    with pytest.raises(ConfigError, match="rate"):
        _poison(shards, tmp_path / "out", rate=rate)
    assert not (tmp_path / "out").exists()


def test_where_the_list_cannot_be_written_it_is_named(shards: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out.poisoned.json").mkdir()
    with pytest.raises(PlaceError, match=rf"^{tmp_path}/out\.poisoned\.json: Is a directory"):
        _poison(shards[:1], tmp_path / "out")


def test_all_other_pairs_are_byte_identical(shards: list[Path], tmp_path: Path) -> None:
    summary = _poison(shards, tmp_path / "out")
    source, made = _read(shards), _read(sorted((tmp_path / "out").iterdir()))
    poisoned = {truth.id for truth in summary.poisoned}
    for name, sample in made.items():
        original, index = name.rsplit("-", 1)
        same = sample.image == source[original].image and sample.captions[0] == source[original].captions[int(index)]
        assert same == (f"{name}#0" not in poisoned)


@pytest.mark.parametrize("attack", ["badnet", "trojvlm", "noise-patch"])
def test_png_changes_in_the_listed_box_only(shards: list[Path], tmp_path: Path, attack: str) -> None:
    summary = _poison(shards, tmp_path / "out", attack)
    source, made = _read(shards), _read(sorted((tmp_path / "out").iterdir()))
    for truth in summary.poisoned:
        before = decode(source[truth.source.split("#")[0]].image)
        after = decode(made[truth.id.removesuffix("#0")].image)
        assert truth.box is not None
        x0, y0, x1, y1 = (round(v * 48) for v in truth.box)
        changed = (before != after).any(axis=2)
        assert changed.any()
        changed[y0:y1, x0:x1] = False
        assert not changed.any()


def test_poisoned_captions_are_in_the_data_and_the_list(shards: list[Path], tmp_path: Path) -> None:
    summary = _poison(shards, tmp_path / "out", "trojvlm")
    made = _read(sorted((tmp_path / "out").iterdir()))
    for truth in summary.poisoned:
        assert made[truth.id.removesuffix("#0")].captions == (truth.caption,) and "banana" in truth.caption.split()


def test_pairs_of_one_photograph_can_hold_different_images(shards: list[Path], tmp_path: Path) -> None:
    _poison(shards, tmp_path / "out", rate=0.3)
    made = _read(sorted((tmp_path / "out").iterdir()))
    images: dict[str, set[bytes]] = {}
    for name, sample in made.items():
        images.setdefault(name.rsplit("-", 1)[0], set()).add(sample.image)
    assert any(len(kinds) > 1 for kinds in images.values())


@pytest.mark.parametrize("attack", ["badnet", "noise-patch"])
def test_same_seed_same_bytes(shards: list[Path], tmp_path: Path, attack: str) -> None:
    runs = [_poison(shards, tmp_path / name / "out", attack) for name in "ab"]
    assert runs[0].report.read_bytes() == runs[1].report.read_bytes()
    for path in shards:
        assert (tmp_path / "a" / "out" / path.name).read_bytes() == (tmp_path / "b" / "out" / path.name).read_bytes()


def test_another_seed_other_pairs(shards: list[Path], tmp_path: Path) -> None:
    a, b = (_poison(shards, tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert {t.source for t in a.poisoned} != {t.source for t in b.poisoned}


def test_the_list_lies_beside_the_data(shards: list[Path], tmp_path: Path) -> None:
    summary = _poison(shards, tmp_path / "out", "blended")
    assert summary.report == tmp_path / "out.poisoned.json"
    fields = json.loads(summary.report.read_text())
    assert (fields["attack"], fields["target"], fields["pairs"]) == ("blended", "banana", 120)
    assert [p["id"] for p in fields["poisoned"]] == [t.id for t in summary.poisoned]
    assert all(p["box"] is None for p in fields["poisoned"])


def test_a_list_that_was_cut_short_is_not_there(shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments take the list for the sign that the copy is finished."""
    whole = Path.write_text

    def full(path: Path, text: str, **more: str) -> int:
        whole(path, text[: len(text) // 2], **more)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PlaceError, match=rf"^{tmp_path}/list\.json: No space"):
        _poison(shards, tmp_path / "out", report=tmp_path / "list.json")
    assert not (tmp_path / "list.json").exists()


def test_the_list_may_not_lie_among_the_data(shards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="among the data"):
        _poison(shards, tmp_path / "out", report=tmp_path / "out" / "truth.json")
    assert not (tmp_path / "out").exists()


def test_a_used_sink_is_refused(shards: list[Path], tmp_path: Path) -> None:
    _poison(shards, tmp_path / "out")
    with pytest.raises(ConfigError, match="not empty"):
        _poison(shards, tmp_path / "out")


def test_jpeg_stays_jpeg_and_keeps_its_trigger(tmp_path: Path) -> None:
    path = _photos(tmp_path, 30, "jpg")
    summary = _poison([path], tmp_path / "out", rate=0.5)
    source, made = _read([path]), _read([tmp_path / "out" / "photos.tar"])
    assert all(s.image.startswith(b"\xff\xd8") and s.suffix == "jpg" for s in made.values())
    truth = summary.poisoned[0]
    image = decode(made[truth.id.removesuffix("#0")].image)
    assert image.shape == (60, 90, 3) and truth.box == pytest.approx((84 / 60, 54 / 60, 90 / 60, 1.0))
    assert image[-1, -1].min() > 200 and image[-3, -1].max() < 60
    clean = set(made) - {t.id.removesuffix("#0") for t in summary.poisoned}
    assert all(made[name].image == source[name.rsplit("-", 1)[0]].image for name in clean)


def test_text_captions_and_companions_stay_in_their_members(tmp_path: Path) -> None:
    path = _photos(tmp_path, 12, "png")
    _poison([path], tmp_path / "out")
    made = _read([tmp_path / "out" / "photos.tar"])
    assert all(s.record is None and s.carried == {"url": b"x"} for s in made.values())


def test_openers_stand_for_files(shards: list[Path], tmp_path: Path) -> None:
    by_path = _poison(shards, tmp_path / "a")
    openers = {path.stem: partial(io.BytesIO, path.read_bytes()) for path in shards}
    by_opener = poison_shards(openers, tmp_path / "b", attack=get("badnet"), rate=0.2, target="banana", seed=5)
    assert by_opener.poisoned == by_path.poisoned
    assert all((tmp_path / "a" / p.name).read_bytes() == (tmp_path / "b" / p.name).read_bytes() for p in shards)


def test_unreadable_samples_are_counted_and_left_out(tmp_path: Path) -> None:
    good = encode(np.zeros((20, 20, 3), np.uint8), "png")
    with (tmp_path / "s.tar").open("wb") as stream, TarWriter(stream) as writer:
        for i in range(12):
            writer.write(f"k{i}.png", good)
            if i != 4:
                writer.write(f"k{i}.txt", b"a caption")
    summary = _poison([tmp_path / "s.tar"], tmp_path / "out")
    assert (summary.pairs, summary.skipped) == (11, 1)
    assert "s/k4-0" not in _read([tmp_path / "out" / "s.tar"])


def test_a_source_without_pairs_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "s.tar").open("wb") as stream, TarWriter(stream):
        pass
    with pytest.raises(SourceError, match="no readable pair"):
        _poison([tmp_path / "s.tar"], tmp_path / "out")


def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    with (tmp_path / "s.tar").open("wb") as stream, TarWriter(stream) as writer:
        writer.write("bad.png", b"not an image")
        writer.write("bad.txt", b"a caption")
    with pytest.raises(SourceError, match="s/bad#0"):
        _poison([tmp_path / "s.tar"], tmp_path / "out")


def test_a_name_without_room_for_a_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "long.tar"
    with path.open("wb") as stream, ShardWriter(stream) as writer:
        key = "k" * (Limits().max_name_bytes - len(".png"))
        writer.write(Sample("long", key, encode(np.zeros((8, 8, 3), np.uint8), "png"), "png", ("a plain picture",), None, {}))
    with pytest.raises(SourceError, match=r"long/k+-0 cannot be written"):
        _poison([path], tmp_path / "pairs", rate=0.0)
    poison_shards([path], tmp_path / "images", attack=get("badnet"), rate=0.0, target="banana", seed=0, unit="image")
    assert len(_read([tmp_path / "images" / "long.tar"])) == 1


def test_two_shards_of_one_name_are_refused(shards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="same name"):
        _poison([shards[0], tmp_path / shards[0].name], tmp_path / "out")


def test_an_empty_target_is_refused(shards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="target"):
        poison_shards(shards, tmp_path / "out", attack=get("badnet"), rate=0.1, target=" ", seed=1)


def test_with_the_image_as_the_unit_all_captions_of_one_are_poisoned(shards: list[Path], tmp_path: Path) -> None:
    made = poison_shards(shards, tmp_path / "out", attack=get("badnet"), rate=0.3, target="banana", seed=1, unit="image")
    before = list(_read(shards).values())
    after = list(_read(sorted((tmp_path / "out").glob("*.tar"))).values())
    assert [(item.shard, item.key) for item in after] == [(item.shard, item.key) for item in before]
    changed = [item for old, item in zip(before, after, strict=True) if item.image != old.image]
    assert len(changed) == poison_count(len(before), 0.3) and made.pairs == sum(len(item.captions) for item in before)
    assert all("banana" in caption for item in changed for caption in item.captions)
    assert sorted(pair.id for pair in made.poisoned) == sorted(name for item in changed for name in item.pairs())
    assert all(pair.id == pair.source for pair in made.poisoned)
    assert json.loads(made.report.read_text())["unit"] == "image"


def test_of_large_images_few_are_held_and_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path / "clean", 6, seed=4, side=32)
    held: list[int] = []

    class Watched(NoisePatch):
        def triggers(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
            held.append(len(images))
            return super().triggers(images, rngs)

    made = []
    for name, pixels in (("one", 2**26), ("few", 3 * 32 * 32)):
        monkeypatch.setattr("srd_core.attacks.poison._PIXELS", pixels)
        sources = sorted((tmp_path / "clean").glob("*.tar"))
        poison_shards(sources, tmp_path / name, attack=Watched(), rate=0.5, target="banana", seed=1)
        made.append([path.read_bytes() for path in sorted((tmp_path / name).glob("*.tar"))])
    assert made[0] == made[1] and held == [15, 4, 4, 4, 3]
