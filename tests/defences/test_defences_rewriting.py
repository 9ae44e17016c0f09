"""One shard through a defence: every pair is accounted for, and only what was decided on changes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from srd_core.data.codec import Codec
from srd_core.data.decisions import Decision, read_decisions
from srd_core.data.images import decode, encode
from srd_core.data.limits import Limits
from srd_core.data.samples import Sample
from srd_core.data.shards import read_shard
from srd_core.data.tar import TarWriter
from srd_core.defences.base import Batch, Defence, PairAction, PairDecision, SampleDecision
from srd_core.defences.controls import NoDefence
from srd_core.defences.rewriting import Tally, rewrite_shard
from srd_core.defences.treatment import DEFAULT, Output, treat
from srd_core.policy.masks import Mask

LIMITS = Limits()


def photo(number: int, suffix: str, size: tuple[int, int] = (30, 48)) -> bytes:
    return encode(np.full((*size, 3), (10 * number % 200, 90, 140), np.uint8), suffix)


@dataclass
class Script:
    """Decides as it was told, by caption; a mask for every image when there is one."""

    actions: dict[str, PairAction]
    mask: Mask | None = None
    sizes: list[int] | None = None
    looks: bool = True

    def decide(self, batch: Batch) -> list[SampleDecision]:
        if self.sizes is not None:
            self.sizes.append(len(batch.captions))
        assert batch.images.shape == (len(batch.captions), 32, 32, 3)
        return [SampleDecision(tuple(self._pair(text) for text in own), self.mask) for own in batch.captions]

    def _pair(self, caption: str) -> PairDecision:
        action = self.actions.get(caption, "keep" if self.mask is None else "mask")
        return PairDecision(action, "as told", f"new {caption}" if action == "recaption" else None, {"nll_max": 2.5, "length": 7.0}, "word")


@dataclass(frozen=True)
class Rewritten:
    files: dict[str, Path]
    tally: Tally

    def samples(self, place: str = "shards") -> list[Sample]:
        with self.files[f"{place}/one.tar"].open("rb") as stream:
            return [item for item in read_shard(stream, "one") if isinstance(item, Sample)]

    @property
    def rows(self) -> list[Decision]:
        return list(read_decisions(self.files["decisions/one.parquet"]))


def rewrite(data: bytes, defence: Defence, folder: Path, output: Output = DEFAULT, limits: Limits = LIMITS) -> Rewritten:
    with Codec() as codec:
        return Rewritten(*rewrite_shard(io.BytesIO(data), "one", defence, folder, codec, canvas=32, output=output, limits=limits))


def pack(members: Sequence[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with TarWriter(target) as writer:
        for name, content in members:
            writer.write(name, content)
    return target.getvalue()


@pytest.fixture
def shard() -> bytes:
    """Five good samples of several kinds between two that cannot be used."""
    return pack(
        [
            ("a.jpg", photo(1, "jpg")),
            ("a.txt", b"first"),
            ("broken.jpg", photo(2, "jpg")[:60]),
            ("broken.json", b'{"captions": ["x", "y"]}'),
            ("b.png", photo(3, "png")),
            ("b.json", b'{"captions": ["second", "third", "fourth"], "id": 7}'),
            ("mute.jpg", photo(4, "jpg")),
            ("c.webp", photo(5, "webp", (48, 30))),
            ("c.json", b'{"caption": "fifth", "licence": "free"}'),
            ("c.url", b"http://example.org/c"),
            ("d.JPG", photo(6, "jpg")),
            ("d.txt", b"sixth"),
        ]
    )


def test_every_pair_is_decided_on_once(shard: bytes, tmp_path: Path) -> None:
    made = rewrite(shard, NoDefence(), tmp_path)
    assert Counter(row.pair for row in made.rows) == Counter(
        [f"one/{name}" for name in ("a#0", "broken#0", "broken#1", "b#0", "b#1", "b#2", "mute#0", "c#0", "d#0")]
    )
    assert made.tally.actions == {"keep": 6, "reject": 3}
    assert made.tally.pairs == 9
    assert sum(made.tally.rejects.values()) == 3 and made.tally.rejects["corrupt-image"] == 2


def test_progress_tells_of_all_images_batch_by_batch(tmp_path: Path) -> None:
    images = [photo(number % 7, "png") for number in range(150)]
    data = pack([item for i, image in enumerate(images) for item in ((f"{i:03d}.png", image), (f"{i:03d}.txt", b"seen"))])
    told: list[int] = []
    with Codec() as codec:
        rewrite_shard(io.BytesIO(data), "one", NoDefence(), tmp_path, codec, canvas=32, limits=Limits(), progress=told.append)
    assert len(told) == 3 and sum(told) == sum(map(len, images))


def test_new_files_are_handed_on_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = Codec.rewrite
    monkeypatch.setattr(Codec, "rewrite", lambda codec, job: made.append(1) or real(codec, job))
    items = [Sample("one", f"{number}", photo(number, "png"), "png", ("seen",)) for number in range(8)]
    with Codec() as codec:
        outcomes = treat(items, NoDefence(), codec, 32, DEFAULT, Limits())
        assert [len(made) for _ in outcomes] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_what_is_kept_keeps_its_bytes_keys_and_order(shard: bytes, tmp_path: Path) -> None:
    before = [item for item in read_shard(io.BytesIO(shard), "one") if isinstance(item, Sample) and item.key != "broken"]
    made = rewrite(shard, NoDefence(), tmp_path)
    assert made.samples() == before
    assert all(row.image_sha256_before == row.image_sha256_after for row in made.rows if row.action == "keep")


@pytest.mark.parametrize("defence", [NoDefence(), Script({"y": "quarantine"})])
def test_nothing_is_written_that_could_not_be_read_again(tmp_path: Path, defence: Defence) -> None:
    """Regression: a JPEG called .png came out as a PNG of 81 MB, which retraining and the next reader passed over without a word."""
    noise = encode(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8), "jpg")
    data = pack([("a.png", noise), ("a.json", b'{"captions": ["x", "y"]}'), ("b.jpg", noise), ("b.json", b'{"captions": ["x", "y"]}')])
    made = rewrite(data, defence, tmp_path, limits=Limits(max_member_bytes=12_000))
    assert {row.pair: (row.action, row.reason) for row in made.rows if row.key == "a"} == {
        f"one/a#{number}": ("reject", "too-large") for number in range(2)
    }
    assert [sample.key for sample in made.samples()] == ["b"]
    assert made.tally.pairs == 4 and made.tally.rejects == {"too-large": 2}


def test_nothing_withheld_no_quarantine_file(shard: bytes, tmp_path: Path) -> None:
    made = rewrite(shard, NoDefence(), tmp_path)
    assert set(made.files) == {"shards/one.tar", "decisions/one.parquet"}
    assert not list((tmp_path / "quarantine").iterdir())


def test_captions_of_one_sample_can_part(shard: bytes, tmp_path: Path) -> None:
    made = rewrite(shard, Script({"second": "quarantine", "third": "recaption"}), tmp_path)
    kept = {sample.key: sample for sample in made.samples()}
    assert kept["b"].captions == ("new third", "fourth")
    assert kept["b"].record is not None and kept["b"].record["id"] == 7
    (withheld,) = made.samples("quarantine")
    assert (withheld.key, withheld.captions, withheld.image) == ("b", ("second",), kept["b"].image)
    rows = {row.pair: row for row in made.rows if row.key == "b"}
    assert [rows[f"one/b#{i}"].caption_after for i in range(3)] == ["", "new third", "fourth"]
    assert [rows[f"one/b#{i}"].caption_before for i in range(3)] == ["second", "third", "fourth"]


def test_a_sample_without_captions_left_moves_out(shard: bytes, tmp_path: Path) -> None:
    made = rewrite(shard, Script({"fifth": "quarantine", "first": "quarantine"}), tmp_path)
    assert [sample.key for sample in made.samples()] == ["b", "d"]
    aside = made.samples("quarantine")
    assert [sample.key for sample in aside] == ["a", "c"]
    assert aside[1].carried == {"url": b"http://example.org/c"} and aside[1].record == {"caption": "fifth", "licence": "free"}
    assert [row.image_sha256_after for row in made.rows if row.key == "a"] == [""]


@pytest.mark.parametrize(("key", "tolerance"), [("a", 40), ("b", 0), ("c", 40), ("d", 40)])
def test_masks_are_red_where_they_were_put_at_the_images_own_size(shard: bytes, tmp_path: Path, key: str, tolerance: int) -> None:
    made = rewrite(shard, Script({}, Mask(0.75, 0.5, 0.4)), tmp_path)
    before = {item.key: item for item in read_shard(io.BytesIO(shard), "one") if isinstance(item, Sample)}
    after = {item.key: item for item in made.samples()}
    old, new = decode(before[key].image).astype(int), decode(after[key].image).astype(int)
    height, width = old.shape[:2]
    assert new.shape == old.shape and min(height, width) == 30
    x, y = round(0.75 * width), height // 2
    assert np.abs(new[y - 4 : y + 4, x - 4 : x + 4] - (255, 0, 0)).max() <= tolerance
    assert np.abs(new[: y - 14] - old[: y - 14]).max() <= tolerance
    assert np.abs(new[:, : x - 16] - old[:, : x - 16]).max() <= tolerance
    (row, *_) = [row for row in made.rows if row.key == key]
    assert (row.mask_x, row.mask_y, row.mask_size) == pytest.approx((0.75 * width / 30, 0.5 * height / 30, 0.4))
    assert (row.image_width, row.image_height, row.score_others) == (width, height, (("length", 7.0),))
    assert row.image_sha256_before != row.image_sha256_after


def test_the_same_shard_gives_the_same_bytes(shard: bytes, tmp_path: Path) -> None:
    script = Script({"second": "quarantine"}, Mask(0.2, 0.2, 0.3))
    first, again = (rewrite(shard, script, tmp_path / name) for name in ("1", "2"))
    assert {name: path.read_bytes() for name, path in first.files.items()} == {n: p.read_bytes() for n, p in again.files.items()}


def test_a_batch_is_bounded(tmp_path: Path) -> None:
    image = photo(1, "png")
    members = [(f"{i:03}.{kind}", content) for i in range(150) for kind, content in (("png", image), ("txt", f"caption {i}".encode()))]
    sizes: list[int] = []
    made = rewrite(pack(members), Script({}, sizes=sizes), tmp_path)
    assert sizes == [64, 64, 22]
    assert [sample.key for sample in made.samples()] == [f"{i:03}" for i in range(150)]


def test_a_shard_that_breaks_off_gives_what_came_before(shard: bytes, tmp_path: Path) -> None:
    made = rewrite(shard[: shard.index(b"fifth")], NoDefence(), tmp_path)
    assert [sample.key for sample in made.samples()] == ["a", "b"]
    assert any(reason.endswith("-shard") for reason in made.tally.rejects)


def test_an_empty_shard_has_an_empty_account(tmp_path: Path) -> None:
    made = rewrite(pack([]), NoDefence(), tmp_path)
    assert made.samples() == [] and made.rows == [] and made.tally.pairs == 0


def test_tallies_add_up() -> None:
    total = Tally({"keep": 2}, {}) + Tally({"keep": 1, "reject": 3}, {"corrupt-image": 3}) + Tally()
    assert total.as_facts() == {"pairs": 6, "actions": {"keep": 3, "reject": 3}, "rejects": {"corrupt-image": 3}}
