"""Valid shards, damaged at random: never a crash, and never an innocent sample lost that comes before, or behind an intact frame."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srd_core.data.codec import Codec, Look
from srd_core.data.reasons import REASONS
from srd_core.data.samples import Reject, Sample
from srd_core.data.shards import read_shard
from srd_core.data.tar import BLOCK
from tests.hostile.tars import END, PHOTO, good, header, member

FIRST, LAST = good("first"), good("last")
MIDDLE = member("m.jpg", PHOTO) + member("m.json", b'{"captions": ["one", "two"], "id": 7}') + member("m.url", b"http://example.org")
HEADER_FIELDS = {"name": 0, "mode": 100, "uid": 108, "gid": 116, "size": 124, "mtime": 136, "checksum": 148, "type": 156, "link": 157}
HEADER_FIELDS |= {"magic": 257, "version": 263, "owner": 265, "group": 297, "major": 329, "minor": 337, "prefix": 345, "rest": 500}
CHANGES = st.lists(st.tuples(st.integers(0, len(MIDDLE) - 1), st.binary(min_size=1, max_size=24)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def codec() -> Iterator[Codec]:
    with Codec() as running:
        yield running


def keys(data: bytes) -> tuple[list[str], list[str]]:
    """Keys of the samples that are read, and the reasons of the others; every reason is known."""
    items = list(read_shard(io.BytesIO(data), "s"))
    reasons = [item.reason for item in items if isinstance(item, Reject)]
    assert set(reasons) <= set(REASONS)
    return [item.key for item in items if isinstance(item, Sample)], reasons


def overwrite(data: bytes, changes: list[tuple[int, bytes]], *, headers: bool) -> bytes:
    """The data with bytes replaced in place; without `headers`, only those that no header block holds."""
    changed = bytearray(data)
    kept = [(start, data[start : start + BLOCK]) for start in range(0, len(data), BLOCK) if data[start + 257 : start + 262] == b"ustar"]
    for place, new in changes:
        changed[place : place + len(new)] = new[: len(changed) - place]
    for start, block in [] if headers else kept:
        changed[start : start + BLOCK] = block
    return bytes(changed)


def survives_content(changes: list[tuple[int, bytes]], codec: Codec) -> bool:
    data = FIRST + overwrite(MIDDLE, changes, headers=False) + LAST + END
    read, _ = keys(data)
    images = [item.image for item in read_shard(io.BytesIO(data), "s") if isinstance(item, Sample)]
    looks = list(codec.looks(images, 8))
    return (read[0], read[-1]) == ("first", "last") and isinstance(looks[0], Look) and isinstance(looks[-1], Look)


def survives_anything(changes: list[tuple[int, bytes]], cut: int) -> bool:
    damaged = overwrite(MIDDLE, changes, headers=True)
    found = [keys(data) for data in (FIRST + damaged + LAST + END, FIRST + damaged[cut:] + LAST + END, FIRST + damaged[:cut])]
    return all(read[:1] == ["first"] and ("last" in read or any(item.endswith("-shard") for item in reasons)) for read, reasons in found)


QUIET = [HealthCheck.function_scoped_fixture]


@settings(max_examples=250, suppress_health_check=QUIET, deadline=None)
@given(CHANGES)
def test_damaged_content_costs_its_own_sample_only(codec: Codec, changes: list[tuple[int, bytes]]) -> None:
    assert survives_content(changes, codec)


@settings(max_examples=250, deadline=None)
@given(CHANGES, st.integers(0, len(MIDDLE)))
def test_any_damage_leaves_what_came_before_and_is_named(changes: list[tuple[int, bytes]], cut: int) -> None:
    assert survives_anything(changes, cut)


@pytest.mark.slow
@settings(max_examples=5_000, suppress_health_check=QUIET, deadline=None)
@given(CHANGES)
def test_damaged_content_five_thousand_times(codec: Codec, changes: list[tuple[int, bytes]]) -> None:
    assert survives_content(changes, codec)


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(CHANGES, st.integers(0, len(MIDDLE)))
def test_any_damage_five_thousand_times(changes: list[tuple[int, bytes]], cut: int) -> None:
    assert survives_anything(changes, cut)


@pytest.mark.parametrize("boundary", range(len(FIRST + MIDDLE + LAST + END) // BLOCK))
def test_a_shard_cut_at_a_block(boundary: int) -> None:
    whole = FIRST + MIDDLE + LAST + END
    read, reasons = keys(whole[: boundary * BLOCK])
    assert ("first" in read) == (boundary * BLOCK >= len(FIRST))
    assert ("last" in read) == (boundary * BLOCK >= len(FIRST + MIDDLE + LAST))
    assert "m" in read or boundary * BLOCK < len(FIRST + MIDDLE)
    assert reasons[-1] in ("truncated-shard", "empty-shard")


@pytest.mark.parametrize("field", HEADER_FIELDS)
@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_in_a_header_is_seen(field: str, bit: int) -> None:
    block = bytearray(header(b"m.jpg", len(PHOTO)))
    block[HEADER_FIELDS[field]] ^= 1 << bit
    read, reasons = keys(FIRST + bytes(block) + MIDDLE[BLOCK:] + LAST + END)
    if field == "checksum" and block[148:156].replace(b" ", b"0") == MIDDLE[148:156].replace(b" ", b"0"):  # a space is a zero there
        assert (read, reasons) == (["first", "m", "last"], [])
        return
    assert read == ["first"]
    assert set(reasons) <= {"bad-checksum-shard", "bad-header-shard", "not-tar-shard"}
