"""Captions as they lie in a shard: parsed from `.txt` and `.json` members by one strict rule, and written back in the same members.

One reading or none: a JSON text with duplicate keys, or a `.txt` that says something else than the `.json` beside it, is refused, because
the tool that trains on the data might pick the other one. Captions are brought to Unicode NFC and stripped; invisible characters inside
stay, since they may be what a detector looks for.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NoReturn

from srd_core.data.limits import Limits


class CaptionError(ValueError):
    """A sample's captions cannot be used. `reason` is a stable code, `pairs` how many captions were there (at least 1)."""

    def __init__(self, reason: str, detail: str, pairs: int = 1) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.pairs = reason, detail, max(1, pairs)


def parse(text: bytes | None, record: bytes | None, limits: Limits) -> tuple[tuple[str, ...], dict[str, object] | None]:
    """Captions and JSON object of a sample from its `.txt` and `.json` members (None: not there).

    Raises:
        CaptionError: `no-caption`, `bad-text`, `bad-json`, `bad-caption`, `empty-caption`, `too-large` or `ambiguous-caption`.
    """
    fields = None if record is None else _load(record, limits)
    found = [] if fields is None else _from_record(fields, limits)
    if text is not None:
        _bounded(text, limits)
        try:
            line = _clean(text.decode(), limits, 1)
        except UnicodeDecodeError as error:
            raise CaptionError("bad-text", f"the .txt is not UTF-8: {error.reason}") from error
        if found and found != [line]:
            raise CaptionError("ambiguous-caption", "the .txt and the .json hold different captions", len(found))
        found = [line]
    if not found:
        raise CaptionError("no-caption", "neither a .txt nor a caption in a .json")
    return tuple(found), fields


def dump(record: Mapping[str, object], captions: Sequence[str]) -> bytes:
    """The JSON member with `captions` in place of the old ones, all other fields as they were."""
    fields = dict(record)
    if "captions" in fields:
        fields["captions"] = list(captions)
    if "caption" in fields:
        fields["caption"] = captions[0]
    return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()


def _bounded(data: bytes, limits: Limits) -> None:
    if len(data) > limits.max_text_bytes:
        raise CaptionError("too-large", f"a text member of {len(data)} bytes; the limit is {limits.max_text_bytes}")


def _load(data: bytes, limits: Limits) -> dict[str, object]:
    _bounded(data, limits)
    try:
        fields = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
        if b"\\u" in data:
            json.dumps(fields, ensure_ascii=False).encode()  # half a surrogate pair cannot be written back
    except (ValueError, RecursionError) as error:
        raise CaptionError("bad-json", f"the .json cannot be read: {error}"[:200]) from error
    if not isinstance(fields, dict):
        raise CaptionError("bad-json", "the .json is not an object")
    return fields


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key appears twice")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is out of range")
    return value


def _from_record(fields: Mapping[str, object], limits: Limits) -> list[str]:
    several, single = fields.get("captions"), fields.get("caption")
    if several is not None and (not isinstance(several, list) or not all(isinstance(item, str) for item in several)):
        raise CaptionError("bad-json", "`captions` is not a list of texts")
    if single is not None and not isinstance(single, str):
        raise CaptionError("bad-json", "`caption` is not a text")
    raw: list[str] = several if several is not None else []
    if len(raw) > limits.max_captions:
        raise CaptionError("too-large", f"{len(raw)} captions; the limit is {limits.max_captions}", len(raw))
    if single is not None:
        if several is not None and several != [single]:
            raise CaptionError("ambiguous-caption", "`caption` and `captions` differ", len(raw))
        raw = [single]
    return [_clean(item, limits, len(raw)) for item in raw]


def _clean(caption: str, limits: Limits, pairs: int) -> str:
    if len(caption) > limits.max_caption_chars:
        raise CaptionError("too-large", f"a caption of {len(caption)} characters; the limit is {limits.max_caption_chars}", pairs)
    clean = unicodedata.normalize("NFC", caption).strip()
    if not clean:
        raise CaptionError("empty-caption", "a caption has no text", pairs)
    if not clean.isprintable() and any(unicodedata.category(char) == "Cc" and char not in "\t\n\r" for char in clean):
        raise CaptionError("bad-caption", "a caption holds control characters", pairs)
    return clean
