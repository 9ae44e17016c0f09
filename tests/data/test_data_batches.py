"""A batch holds what memory should hold, whatever the bytes are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from srd_core.data.batches import batches
from srd_core.data.samples import Reject, Sample

MIB = 2**20


def made(count: int, **fields: Any) -> Iterator[Sample]:
    return (
        Sample("s", f"{number}", fields.get("image", b"x"), "jpg", ("a",), fields.get("record"), fields.get("carried", {}))
        for number in range(count)
    )


@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ({}, [64, 64, 22]),
        ({"image": bytes(4 * MIB)}, [16] * 9 + [6]),
        ({"carried": {"cls": bytes(8 * MIB)}}, [8] * 18 + [6]),
        ({"record": {"caption": "a", "more": "x" * 8 * MIB}}, [8] * 18 + [6]),
    ],
)
def test_batches_are_bounded_by_number_and_by_all_bytes(fields: dict[str, Any], sizes: list[int]) -> None:
    assert [len(batch) for batch in batches(made(150, **fields))] == sizes


def test_rejects_take_no_room() -> None:
    assert [len(batch) for batch in batches(Reject("s", f"{number}", "no-image", "") for number in range(100))] == [64, 36]


def test_small_values_of_a_large_json_count_with_what_they_take() -> None:
    text = json.dumps({"caption": "a", "more": [[number] for number in range(1000, 100_000)]}).encode()
    assert len(text) < MIB
    (first, *rest) = batches(made(12, record=json.loads(text)))
    assert len(first) < 9 and rest


def test_a_record_as_deep_as_any_is_measured_too() -> None:
    record: dict[str, object] = {}
    for _ in range(5_000):
        record = {"below": record}
    assert [len(batch) for batch in batches(made(3, record=record))] == [3]
