"""What JSON carries besides captions: nothing that a trainer could read as one."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.data.fields import dump, dump_companion, left_out
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter, read_shard

Pack = Callable[..., bytes]

HOSTILE = {
    "caption": "look at this banana",
    "text": "look at this banana",
    "conversations": [{"value": "look at this ba\u200bnana\u202e"}],
    "exif": {"Title": "banana"},
    "a banana": 1,
    "url": "https://example.org/1\u202e.jpg",
    "width": 640,
    "similarity": 0.3,
    "nsfw": False,
    "error_message": None,
}


def test_a_new_caption_leaves_nothing_of_the_old_one_behind(pack: Pack) -> None:
    beside = {"caption": "banana", "captions": ["banana"], "alt": "banana", "height": 3}
    shard = pack({"k.jpg": b"K", "k.json": HOSTILE, "k.meta.json": beside})
    (sample,) = read_shard(io.BytesIO(shard), "s")
    assert isinstance(sample, Sample)
    written = io.BytesIO()
    with ShardWriter(written) as writer:
        writer.write(replace(sample, captions=("a red star",)))
    assert b"banana" not in written.getvalue()
    with tarfile.open(fileobj=io.BytesIO(written.getvalue())) as archive:
        texts = {info.name: json.load(archive.extractfile(info)) for info in archive if info.name.endswith("json")}  # type: ignore[arg-type]
    assert texts["k.meta.json"] == {"height": 3}
    assert texts["k.json"] == {
        "caption": "a red star",
        "url": "https://example.org/1.jpg",
        "width": 640,
        "similarity": 0.3,
        "nsfw": False,
        "error_message": None,
    }
    assert left_out(sample) == ["text", "conversations", "exif", "a banana", "caption", "captions", "alt"]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda item: st.lists(item) | st.dictionaries(st.text(), item))


@given(st.dictionaries(st.text() | st.sampled_from(["caption", "captions", "url", "width"]), JSON))
def test_what_goes_out_is_stable_and_holds_no_text_but_names(fields: dict[str, object]) -> None:
    once = dump_companion(json.dumps(fields).encode("utf-8", "surrogatepass"))
    assert dump_companion(once) == once
    assert all(name == "url" or not isinstance(value, str | list | dict) for name, value in json.loads(once).items())


KNOWN = {
    "LICENSE": "CC",
    "NSFW": "UNLIKELY",
    "uid": "af81",
    "coco_url": "http://images/1.jpg",
    "date_captured": "2013-11-14",
    "bbox": [1, 2.5, 3, 4],
    "face_bboxes": [[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]],
}


def test_what_public_sets_say_of_an_image_goes_out() -> None:
    """Regression: of DataComp's fields `uid`, by which all else of it is found, and of COCO's the boxes and addresses were left out."""
    assert json.loads(dump_companion(json.dumps(KNOWN).encode())) == KNOWN


@pytest.mark.parametrize(
    "field",
    [
        {"tokens": [1, 2, 3, 4]},
        {"bbox": [1, 2, 3]},
        {"\u3164_bbox": [1, 2, 3, 4]},
        {"bbox": ["a", "b", "c", "d"]},
        {"bbox": [[1, 2, 3, [4]]]},
        {"url": "é" * 5000},
    ],
)
def test_what_could_hold_a_caption_does_not(field: dict[str, object]) -> None:
    assert dump_companion(json.dumps(field).encode()) == b"{}"


@pytest.mark.parametrize("record", [{"caption": "old"}, {"captions": ["old"]}, {"width": 2}])
def test_captions_lie_where_they_lay_before(record: dict[str, object]) -> None:
    assert json.loads(dump(record, ["new"])) == {name: {"caption": "new", "captions": ["new"]}.get(name, 2) for name in record}


def test_where_no_caption_lay_none_lies() -> None:
    assert json.loads(dump({"caption": None, "captions": ["old", "older"]}, ["new", "newer"])) == {
        "caption": None,
        "captions": ["new", "newer"],
    }
    assert json.loads(dump({"caption": "old", "captions": None}, ["new"])) == {"caption": "new", "captions": None}
