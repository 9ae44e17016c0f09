"""Captions as they lie in a shard, parsed from `.txt` and `.json` members by one strict rule.

One reading or none: a JSON text with duplicate keys, or a `.txt` that says something else than the `.json` beside it, is refused, because
the tool that trains on the data might pick the other one. Captions are cleaned: Unicode NFC, stripped, line breaks and tabs as spaces, no
control characters, none that turn the direction of text, no invisible ones but the two joiners in scripts that are written with them.
Letters and emoji so lose what chooses among their forms (a heart in text or in colour is the same heart), Braille its spaces, and a letter
its marks beyond thirty, the bound of Unicode's Stream-Safe Text Format (UAX 15): the time to put marks in order grows with their square.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from srd_core.data.ignorable import IGNORABLE
from srd_core.data.limits import Limits

_BREAKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")
_JOINERS = frozenset("\u200c\u200d")
_ALPHABETS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ETHIOPIC", "THAI", "LAO")
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "HALFWIDTH")
_WITHOUT_JOINERS = (*_ALPHABETS, *_EAST_ASIAN)
"""How the names of letters begin whose scripts need none."""
_MOST_MARKS = 30


class CaptionError(ValueError):
    """A sample's captions cannot be used. `reason` is a stable code, `pairs` how many captions were there (at least 1)."""

    def __init__(self, reason: str, detail: str, pairs: int = 1) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.pairs = reason, detail, max(1, pairs)


@dataclass(frozen=True, slots=True)
class Captions:
    """The captions of a sample: cleaned, as they were (but for space around them), and the JSON object that they came in, if they did."""

    cleaned: tuple[str, ...]
    raw: tuple[str, ...]
    record: dict[str, object] | None


def parse(text: bytes | None, record: bytes | None, limits: Limits) -> Captions:
    """The captions of a sample from its `.txt` and `.json` members (None: not there).

    Raises:
        CaptionError: `no-caption`, `bad-text`, `bad-json`, `empty-caption`, `too-large` or `ambiguous-caption`.
    """
    fields = None if record is None else _load(record, limits)
    found = [] if fields is None else _from_record(fields, limits)
    try:
        _check_lengths(found, limits)
        if text is not None:
            line = _line(text, limits)
            if found and [clean(item) for item in found] != [clean(line)]:
                raise CaptionError("ambiguous-caption", "the .txt and the .json hold different captions")
            found = found or [line]
        if not found:
            raise CaptionError("no-caption", "neither a .txt nor a caption in a .json")
        cleaned = tuple(_checked(item) for item in found)
        _check_lengths(cleaned, limits)
    except CaptionError as error:
        raise CaptionError(error.reason, error.detail, len(found)) from error
    return Captions(cleaned, tuple(item.strip() for item in found), fields)


def _line(text: bytes, limits: Limits) -> str:
    _bounded(text, limits)
    try:
        line = text.decode()
    except UnicodeDecodeError as error:
        raise CaptionError("bad-text", f"the .txt is not UTF-8: {error.reason}") from error
    _check_lengths([line], limits)
    return line


def check_companion(data: bytes, limits: Limits, *, is_json: bool) -> None:
    """Make sure that a member which is only carried is what its name says: text, or a JSON object.

    Ignorable characters that are no controls, as emoji have them, may stay: a companion is not cleaned, so its sample would be lost.

    Raises:
        CaptionError: `bad-text`, `bad-json` or `too-large`.
    """
    if is_json:
        _load(data, limits)
        return
    _bounded(data, limits)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CaptionError("bad-text", f"a companion is not UTF-8: {error.reason}") from error
    if any(_is_invisible(char) and char not in _BREAKS for char in text):
        raise CaptionError("bad-text", "a companion holds control or invisible characters")


def clean(caption: str) -> str:
    """`caption` as it is passed on; cleaning twice changes nothing. Pure text in, pure text out: markup is not this function's concern."""
    if caption.isascii() and caption.isprintable():
        return caption.strip()
    seen = (" " if char in _BREAKS else char for char in caption if char in _BREAKS or char in _JOINERS or not _is_dropped(char))
    return unicodedata.normalize("NFC", _without_idle_joiners(unicodedata.normalize("NFC", _few_marks("".join(seen))))).strip()


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
    raw = [item for item in several if isinstance(item, str)] if isinstance(several, list) else []
    readable = min(len(raw), limits.max_captions)
    if several is not None and raw != several:
        raise CaptionError("bad-json", "`captions` is not a list of texts", readable)
    if single is not None and not isinstance(single, str):
        raise CaptionError("bad-json", "`caption` is not a text", readable)
    if len(raw) > limits.max_captions:
        raise CaptionError("too-large", f"{len(raw)} captions; the limit is {limits.max_captions}", readable)
    if single is not None:
        if several is not None and several != [single]:
            raise CaptionError("ambiguous-caption", "`caption` and `captions` differ", len(raw))
        raw = [single]
    return raw


def _checked(caption: str) -> str:
    cleaned = clean(caption)
    if not cleaned:
        raise CaptionError("empty-caption", "a caption has no text")
    return cleaned


def _check_lengths(captions: Sequence[str], limits: Limits) -> None:
    for caption in captions:
        if len(caption) > limits.max_caption_chars:
            raise CaptionError("too-large", f"a caption of {len(caption)} characters; the limit is {limits.max_caption_chars}")


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co")


def _few_marks(text: str) -> str:
    """Canonically the same text, taken apart, with at most thirty marks in a row."""
    kept, marks = [], 0
    for char in text:
        for part in unicodedata.normalize("NFD", char):
            if part not in _JOINERS:
                marks = marks + 1 if unicodedata.category(part).startswith("M") else 0
            if marks <= _MOST_MARKS:
                kept.append(part)
    return "".join(kept)


def _without_idle_joiners(text: str) -> str:
    """Joiners stay beside letters whose script is written with them, and in emoji; elsewhere they only cut a word in two, unseen."""
    kept, before = [], ""
    needed = _needed_by_the_next(text)
    for char, wanted in zip(text, needed, strict=True):
        if char not in _JOINERS:
            before = before if unicodedata.category(char).startswith("M") else char
        elif not wanted and (before.isascii() or before.isspace() or unicodedata.name(before, "").startswith(_WITHOUT_JOINERS)):
            continue
        kept.append(char)
    return "".join(kept)


def _needed_by_the_next(text: str) -> list[bool]:
    """Of each character, whether the next that is no joiner is a letter of a script that is written with joiners."""
    found, wanted = [], False
    for char in reversed(text):
        found.append(wanted)
        if char not in _JOINERS:
            letter = not char.isascii() and unicodedata.category(char).startswith("L")
            wanted = letter and not unicodedata.name(char, "").startswith(_WITHOUT_JOINERS)
    return found[::-1]


def _is_dropped(char: str) -> bool:
    return char in IGNORABLE or _is_invisible(char)
