"""Samples, rejects and their reasons; what is written back is what other tools read."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import webdataset
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from srd_core.data.limits import Limits
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import ShardWriter, outgrown, read_shard

Pack = Callable[..., bytes]


def read(data: bytes, limits: Limits | None = None) -> list[Sample | Reject]:
    return list(read_shard(io.BytesIO(data), "s", limits))


def write(samples: list[Any]) -> bytes:
    target = io.BytesIO()
    with ShardWriter(target) as writer:
        for sample in samples:
            writer.write(sample)
    return target.getvalue()


def reasons(data: bytes, limits: Limits | None = None) -> list[tuple[str, str]]:
    """(key, reason) of each item; "" for a good sample."""
    return [(item.key, item.reason if isinstance(item, Reject) else "") for item in read(data, limits)]


GOOD: dict[str, object] = {
    "a.jpg": b"A", "a.txt": "a dog \n",
    "dir/b.PNG": b"B", "dir/b.json": {"captions": ["one", "two"], "id": 7, "licence": "é"},
    "c.webp": b"C", "c.json": {"caption": "cat"}, "c.cls": "3",
    "d.jpeg": b"D", "d.txt": "both", "d.json": {"caption": "both", "width": 2},
}  # fmt: skip


def test_the_four_ways_to_hold_captions(pack: Pack) -> None:
    found = read(pack(GOOD))
    assert all(isinstance(item, Sample) for item in found)
    a, b, c, d = (item for item in found if isinstance(item, Sample))
    assert (a.key, a.suffix, a.captions, a.record) == ("a", "jpg", ("a dog",), None)
    assert (b.key, b.suffix, b.captions, b.pairs()) == ("dir/b", "PNG", ("one", "two"), ["s/dir/b#0", "s/dir/b#1"])
    assert (c.captions, c.carried) == (("cat",), {"cls": b"3"})
    assert (d.captions, d.record) == (("both",), {"caption": "both", "width": 2})


def test_a_refused_sample_stands_for_no_more_pairs_than_a_sample_may_have(pack: Pack) -> None:
    """Regression: a list of 349,000 empty captions, which is a megabyte and next to nothing in transit, became as many rows."""
    (reject,) = read(pack({"a.jpg": b"", "a.json": {"captions": [""] * 10_000}}), Limits(max_captions=5))
    assert isinstance(reject, Reject) and (reject.reason, reject.pairs) == ("too-large", 5)


def test_round_trip_keeps_samples_and_is_stable(pack: Pack) -> None:
    first = write(read(pack(GOOD)))
    assert read(first) == [replace(item, carried=_clean(item)) for item in read(pack(GOOD)) if isinstance(item, Sample)]
    assert write(read(first)) == first


def _clean(sample: Sample) -> dict[str, bytes]:
    return {suffix: data.strip() for suffix, data in sample.carried.items()}


def test_new_captions_land_in_every_member_that_held_the_old(pack: Pack) -> None:
    changed = [replace(item, captions=("new",)) for item in read(pack(GOOD)) if isinstance(item, Sample)]
    with tarfile.open(fileobj=io.BytesIO(write(changed))) as archive:
        texts = {info.name: archive.extractfile(info).read() for info in archive}  # type: ignore[union-attr]
    assert texts["a.txt"] == b"new"
    assert json.loads(texts["dir/b.json"]) == {"captions": ["new"], "id": 7, "licence": "é"}
    assert json.loads(texts["c.json"]) == {"caption": "new"}
    assert (texts["d.txt"], json.loads(texts["d.json"])) == (b"new", {"caption": "new", "width": 2})


def test_webdataset_reads_what_we_write(pack: Pack, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(write(read(pack(GOOD))))
    found = list(webdataset.WebDataset(str(tmp_path / "x.tar"), shardshuffle=False))
    assert [item["__key__"] for item in found] == ["a", "dir/b", "c", "d"]
    assert found[0]["txt"] == b"a dog"
    assert json.loads(found[1]["json"])["captions"] == ["one", "two"]


def test_we_read_what_webdataset_writes(tmp_path: Path) -> None:
    with webdataset.TarWriter(str(tmp_path / "x.tar"), encoder=False) as writer:
        for number in range(3):
            writer.write({"__key__": f"k{number}", "jpg": b"J%d" % number, "txt": b"caption %d" % number})
    found = read((tmp_path / "x.tar").read_bytes())
    assert [(i.key, i.image, i.captions) for i in found if isinstance(i, Sample)] == [
        (f"k{n}", b"J%d" % n, (f"caption {n}",)) for n in range(3)
    ]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a.txt": "x"}, "no-image"),
        ({"a.jpg": b""}, "no-caption"),
        ({"a.jpg": b"", "a.json": {"id": 1}}, "no-caption"),
        ({"a.jpg": b"", "a.json": {"captions": []}}, "no-caption"),
        ({"a.jpg": b"", "a.txt": " \n"}, "empty-caption"),
        ({"a.jpg": b"", "a.json": {"captions": ["x", ""]}}, "empty-caption"),
        ({"a.jpg": b"", "a.txt": b"\xff\xfe"}, "bad-text"),
        ({"a.jpg": b"", "a.txt": "\0\u202e"}, "empty-caption"),
        ({"a.jpg": b"", "a.txt": "x" * 10_001}, "too-large"),
        ({"a.jpg": b"", "a.txt": b"x" * (2**20 + 1)}, "too-large"),
        ({"a.jpg": b"", "a.json": {"captions": ["x"] * 65}}, "too-large"),
        ({"a.jpg": b"", "a.json": b"{"}, "bad-json"),
        ({"a.jpg": b"", "a.json": b"[1]"}, "bad-json"),
        ({"a.jpg": b"", "a.json": b'{"caption": "x", "caption": "y"}'}, "bad-json"),
        ({"a.jpg": b"", "a.json": b'{"caption": "x", "n": NaN}'}, "bad-json"),
        ({"a.jpg": b"", "a.json": b'{"caption": "x", "n": 1e999}'}, "bad-json"),
        ({"a.jpg": b"", "a.json": b'{"caption": "\\ud800"}'}, "bad-json"),
        ({"a.jpg": b"", "a.json": b"[" * 100_000}, "bad-json"),
        ({"a.jpg": b"", "a.json": {"caption": ["x"]}}, "bad-json"),
        ({"a.jpg": b"", "a.json": {"captions": ["x", 1]}}, "bad-json"),
        ({"a.jpg": b"", "a.txt": "x", "a.json": {"caption": "y"}}, "ambiguous-caption"),
        ({"a.jpg": b"", "a.json": {"caption": "y", "captions": ["x"]}}, "ambiguous-caption"),
        ({"a.jpg": b"", "a.JPG": b"", "a.txt": "x"}, "duplicate-member"),
        ({"a.jpg": b"", "a.png": b"", "a.txt": "x"}, "duplicate-member"),
        ({"a.jpg": b"", "a.txt": "x", "a.pyd": b""}, "executable-member"),
        ({"a.jpg": b"", "a.txt": "x", "a.emb.pickle": b""}, "executable-member"),
        ({"a.jpg": b"", "a.txt": "x", "a.__bad__": b""}, "reserved-member"),
        ({"a.jpg": b"", "a.txt.gz": b""}, "unknown-member"),
        ({"a": b""}, "unknown-member"),
    ],
)
def test_each_oddity_has_its_reason_and_costs_one_sample(pack: Pack, members: dict[str, object], reason: str) -> None:
    assert reasons(pack({**members, "z.jpg": b"Z", "z.txt": "good"})) == [("a", reason), ("z", "")]


def test_a_reject_counts_its_readable_captions(pack: Pack) -> None:
    found = read(pack({"a.json": {"captions": ["1", "2", "3"]}, "b.jpg": b"", "b.pkl": b"", "b.json": {"captions": ["1", "2"]}}))
    assert [item.pairs for item in found if isinstance(item, Reject)] == [3, 2]


FIVE = {"captions": ["1", "2", "3", "4", "5"]}


@pytest.mark.parametrize(
    "members",
    [
        {"a.txt": b"\xff"},
        {"a.txt": b"x" * (2**20 + 1)},
        {"a.txt": "x" * 10_001},
        {"a.json": {**FIVE, "caption": 5}},
        {"a.json": {"captions": [*FIVE["captions"], 6]}},
        {"a.cls": "1", "a.id": "2", "a.json": FIVE},
        {"a.url": b"u" * 80, "a.json": FIVE},
    ],
)
def test_captions_are_counted_whatever_stands_beside_or_before_them(pack: Pack, members: dict[str, object]) -> None:
    """Regression: four pairs of five were in no decision and in no count."""
    others = {"a.json": FIVE} if "a.json" not in members else {}
    (reject,) = read(pack({"a.jpg": b"A", **others, **members}), Limits(max_sample_members=3, max_sample_bytes=2**22 if others else 85))
    assert isinstance(reject, Reject) and reject.pairs == 5


def test_a_caption_is_bounded_as_it_is_passed_on_too(pack: Pack) -> None:
    """Regression: this letter is two in its normal form, so that what was written could not be read again."""
    assert reasons(pack({"a.jpg": b"", "a.txt": "\ufb2c" * 5_000})) == [("a", "too-large")]
    assert reasons(pack({"a.jpg": b"", "a.txt": "\ufb2c" * 3_000})) == [("a", "")]


TEXTS = st.text(alphabet="ab\ufb2c", min_size=1, max_size=3)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "caption": st.none() | TEXTS,
        "captions": st.none() | st.lists(TEXTS, max_size=3),
        "n": st.sampled_from([1e15, 1, None]),
        "url": TEXTS,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=RECORDS, text=st.none() | TEXTS, companion=st.booleans(), kept=st.integers(1, 3))
@example(record={"caption": None, "captions": ["a", "b"]}, text=None, companion=False, kept=2)
@example(record={"caption": "a", "captions": None}, text="a", companion=False, kept=1)
def test_what_is_written_is_read(pack: Pack, record: dict[str, object], text: str | None, companion: bool, kept: int) -> None:
    """Regression: of `{"caption": null, "captions": [a, b]}` was made a sample with two readings, which we refuse ourselves."""
    texts = {} if text is None else {"a.txt": text}
    beside = {"a.meta.json": record} if companion else {}
    found = read(pack({"a.jpg": b"A", **texts, "a.json": record, **beside}))
    for sample in (item for item in found if isinstance(item, Sample)):
        remaining = replace(sample, captions=sample.captions[:kept], raw=())
        (again,) = read(write([remaining]))
        assert isinstance(again, Sample)
        assert (again.captions, again.image, again.raw) == (remaining.captions, b"A", ())
        assert not outgrown(remaining, Limits())


def test_what_would_be_written_larger_than_it_may_be_read_is_known(pack: Pack) -> None:
    numbers = "".join(f', "k{number}": 1e15' for number in range(40))
    (sample,) = read(pack({"a.jpg": b"A" * 300, "a.json": f'{{"caption": "x"{numbers}}}'.encode(), "a.url": b"u" * 60}))
    assert isinstance(sample, Sample)
    text = 40 * len(', "k10": 1000000000000000.0') - 10 + len('{"caption": "x"}')
    whole, said = text + 360, "would be written with {} bytes; the limit is {}"
    assert outgrown(sample, Limits(max_text_bytes=text, max_sample_bytes=whole)) == ""
    assert outgrown(sample, Limits(max_text_bytes=text - 1)) == f".json {said.format(text, text - 1)}"
    assert outgrown(sample, Limits(max_sample_bytes=whole - 1)) == f"it {said.format(whole, whole - 1)}"
    assert outgrown(sample, Limits(max_member_bytes=299)) == f".jpg {said.format(300, 299)}"


def test_a_key_that_comes_again_never_shadows_the_first(pack: Pack) -> None:
    members = {"a.jpg": b"1", "a.txt": "x", "b.jpg": b"2", "b.txt": "y"}
    body = pack(members)[:-1024]
    assert reasons(body + body + pack(members)) == [
        ("a", ""), ("b", ""), ("a//2", "duplicate-key"), ("b//2", "duplicate-key"), ("a//3", "duplicate-key"), ("b//3", "duplicate-key"),
    ]  # fmt: skip


def test_pair_ids_are_unique_even_for_rejects(pack: Pack) -> None:
    body = pack({"a.jpg": b"1", ".jpg": b"1"})[:-1024]
    keys = [item.key for item in read(body + body)]
    assert len(keys) == len(set(keys)) == 5
    assert keys[-1] == ""


def test_a_truncated_shard_gives_its_good_prefix(pack: Pack) -> None:
    data = pack({"a.jpg": b"A", "a.txt": "x", "b.jpg": b"B" * 2000, "b.txt": "y"})
    assert reasons(data[:3000]) == [("a", ""), ("", "truncated-shard")]
    assert reasons(data + b"more") == [("a", ""), ("b", ""), ("", "trailing-data-shard")]
    assert reasons(b"") == [("", "empty-shard")]


def test_limits_on_samples_and_members(pack: Pack) -> None:
    data = pack({"a.jpg": b"A", "a.txt": "x", "a.cls": "1", "b.jpg": b"B", "b.txt": "y"})
    assert reasons(data, Limits(max_samples=1)) == [("a", ""), ("", "too-many-samples-shard")]
    assert reasons(data, Limits(max_sample_members=2)) == [("a", "too-large"), ("b", "")]


def test_composed_and_decomposed_letters_are_one_caption(pack: Pack) -> None:
    found = read(pack({"a.jpg": b"", "a.txt": "cafe\u0301", "b.jpg": b"", "b.txt": "café"}))
    assert found[0].captions == found[1].captions  # type: ignore[union-attr]


def test_a_sample_without_room_for_its_captions_is_not_written(pack: Pack) -> None:
    sample = read(pack({"a.jpg": b"", "a.txt": "x"}))[0]
    assert isinstance(sample, Sample)
    for captions in ([], ["x", "y"]):
        with pytest.raises(ValueError, match="captions and no member"):
            write([replace(sample, captions=tuple(captions))])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=12)), max_size=4), cut=st.integers(0, 20_000))
def test_damage_never_raises_and_never_repeats_a_key(pack: Pack, edits: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(pack(GOOD))
    for place, patch in edits:
        data[place % len(data) : place % len(data) + len(patch)] = patch
    found = read(bytes(data[:cut]))
    keys = [item.key for item in found]
    assert len(keys) == len(set(keys))
    assert all(item.captions and item.image is not None for item in found if isinstance(item, Sample))


def test_real_photographs_round_trip(real_shard: Path) -> None:
    found = read(real_shard.read_bytes())
    assert len(found) > 50
    assert read(write(found)) == found


def test_names_that_loaders_take_for_themselves_are_refused(pack: Pack) -> None:
    assert reasons(pack({"__a__": b"", "z.jpg": b"Z", "z.txt": "good"})) == [("__a__", "reserved-member"), ("z", "")]


@pytest.mark.parametrize("twin", ["B", "b", "e\u0301", "\u1fb4"])
def test_keys_that_a_file_system_may_confuse_are_the_same_key(pack: Pack, twin: str) -> None:
    first = {"b": "b", "B": "b", "e\u0301": "é", "\u1fb4": "\u03b1\u0345\u0301"}[twin]
    data = pack({f"{first}.jpg": b"1", f"{first}.txt": "x", "m.jpg": b"2", "m.txt": "y", f"{twin}.png": b"3", f"{twin}.txt": "z"})
    assert reasons(data) == [(first, ""), ("m", ""), (f"{twin}//2", "duplicate-key")]


def test_a_sample_is_bounded_as_a_whole(pack: Pack) -> None:
    data = pack({"a.jpg": b"x" * 60, "a.txt": "y", "a.url": b"u" * 60, "b.jpg": b"x" * 60, "b.txt": "y"})
    made = [
        item.reason if isinstance(item, Reject) else item.key for item in read_shard(io.BytesIO(data), "s", Limits(max_sample_bytes=100))
    ]
    assert made == ["too-large", "b"]


def test_of_several_bad_companions_it_is_always_the_same_one_that_is_named(pack: Pack) -> None:
    data = pack({"a.jpg": b"x", "a.txt": "y", "a.url": b"\xff", "a.meta.json": b"{", "a.cls": b"\0", "a.key": b"\xff"})
    (reject,) = read_shard(io.BytesIO(data), "s")
    assert isinstance(reject, Reject) and (reject.reason, reject.detail) == (
        "bad-text",
        "a companion holds control or invisible characters",
    )
