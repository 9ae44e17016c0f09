"""The JSON of a sample as it goes out: its captions, and of other fields numbers, boxes and texts that name or locate something.

Other text (`text`, `conversations`, `alt`, `exif`) may repeat what a new caption has just taken away, and whoever trains on such a field
would train on what nobody has looked at; so may a list of numbers, which can be the tokens of a caption.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from srd_core.data.captions import clean
from srd_core.data.samples import Sample

COMPANION = "meta.json"
"""Suffix of a second JSON member, which holds no captions."""
NAMING = frozenset(
    {"date_captured", "file_name", "filename", "id", "image_id", "key", "licence", "license", "md5", "nsfw", "sha256", "source", "split"}
    | {"status", "uid", "url"}
)
"""Fields, in whatever case, whose text is carried, cleaned as captions are; so are those that end in `_url`.

Digests among them are of the image as its owner had it.
"""
_LONGEST_NAME = 4096
_BOXES = re.compile(r"(\w+_)?(bbox|box)(es)?", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def dump(record: Mapping[str, object], captions: Sequence[str]) -> bytes:
    """The JSON member with `captions` in place of the old ones; fields keep their order, and what held none holds none."""
    ours: dict[str, object] = {"captions": list(captions), "caption": captions[0]}
    kept = {name: value for name, value in record.items() if name in ours or _carried(name, value)}
    return _json({name: value if value is None else ours.get(name, value) for name, value in kept.items()})


def dump_companion(data: bytes) -> bytes:
    """The JSON member that is only carried, with nothing in it that could be taken for a caption."""
    return _json({name: value for name, value in json.loads(data).items() if _carried(name, value)})


def left_out(sample: Sample) -> list[str]:
    """Names of the fields of `sample` that do not go out."""
    fields = {name: value for name, value in (sample.record or {}).items() if name not in ("caption", "captions")}
    beside = json.loads(sample.carried.get(COMPANION, b"{}"))
    return [name for held in (fields, beside) for name, value in held.items() if not _carried(name, value)]


def _carried(name: str, value: object) -> bool:
    if isinstance(value, str):
        return _is_naming(name) and len(value) <= _LONGEST_NAME
    if isinstance(value, list):
        return _PLAIN.fullmatch(name) is not None and _BOXES.fullmatch(name) is not None and _are_boxes(value)
    plain = value is None or isinstance(value, (bool, int, float))
    return plain and name not in ("caption", "captions") and _PLAIN.fullmatch(name) is not None


def _is_naming(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and (name.lower() in NAMING or name.lower().endswith("_url"))


def _are_boxes(value: list[object]) -> bool:
    """Whether it is a box, four numbers, or a list of such."""
    several = value if all(isinstance(item, list) for item in value) else [value]
    return all(isinstance(box, list) and len(box) == 4 and all(isinstance(side, (int, float)) for side in box) for box in several)


def _json(fields: Mapping[str, object]) -> bytes:
    cleaned = {name: clean(value) if isinstance(value, str) and _is_naming(name) else value for name, value in fields.items()}
    return json.dumps(cleaned, ensure_ascii=False, allow_nan=False).encode()
