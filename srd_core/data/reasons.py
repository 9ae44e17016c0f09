"""Why something in a shard is refused or changed: every reason that the reader, the codec and the cleaning of captions can give.

A reason is a stable code. Those that end in `-shard` end the reading of the shard; the samples before it have been handed out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "note"]
"""error: made to harm or to mislead, as far as one can tell; warning: damaged or not usable; note: usable, changed on the way."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What a code means, and what its owner can do about it."""

    level: Level
    meaning: str
    remedy: str


REASONS: dict[str, Reason] = {
    "truncated-shard": Reason("warning", "The archive stops before its end.", "Copy or write the shard again."),
    "empty-shard": Reason("warning", "The file has no bytes.", "Copy or write the shard again."),
    "compressed-shard": Reason("error", "The archive is compressed, and may expand without end.", "Unpack it to a plain .tar."),
    "not-tar-shard": Reason("warning", "A block that should be a header is none.", "Write the shard again with a tar tool."),
    "bad-checksum-shard": Reason("warning", "A header does not match its checksum.", "Copy or write the shard again."),
    "bad-header-shard": Reason("error", "A header contradicts itself or cannot be parsed.", "Write the shard again; ask who made it."),
    "unsupported-type-shard": Reason(
        "error", "A member is a link, a device, a sparse file or the like.", "Write the shard again from regular files only."
    ),
    "bad-name-shard": Reason("error", "A name leads out of the archive or cannot be shown.", "Use plain relative names."),
    "too-large-shard": Reason("error", "A member, a header or the shard exceeds its limit.", "Split it, or raise the key under `limits`."),
    "trailing-data-shard": Reason("error", "Something follows the end: two readers see two data sets.", "Write the shard again."),
    "too-many-samples-shard": Reason(
        "warning", "More samples than the limit; the rest is not read.", "Split it, or raise limits.max_samples."
    ),
    "executable-member": Reason("error", "A member that common loaders unpickle or run.", "Ask who made the set; leave such members out."),
    "reserved-member": Reason("error", "A name that loaders keep to themselves; it can hide samples.", "Rename the member."),
    "unknown-member": Reason("warning", "A member of a kind that is not carried.", "Leave it out."),
    "duplicate-member": Reason("error", "Two members of one kind: two readers see two samples.", "Keep one of them."),
    "duplicate-key": Reason("error", "A key that came before, or differs in letter case only.", "Give every sample a key of its own."),
    "too-large": Reason(
        "error", "A text, a caption or the whole sample exceeds its limit.", "Shorten it, or raise the key under `limits`."
    ),
    "no-image": Reason("warning", "No image member.", "Add KEY.jpg, KEY.png or KEY.webp."),
    "no-caption": Reason("warning", "No caption.", "Add KEY.txt, or KEY.json with `caption` or `captions`."),
    "empty-caption": Reason("warning", "A caption without visible text.", "Write one, or leave the sample out."),
    "ambiguous-caption": Reason("error", "Two members hold different captions: two readers see two samples.", "Keep one of them."),
    "bad-text": Reason("warning", "A text that is not UTF-8.", "Convert it."),
    "bad-json": Reason("error", "A JSON text that is damaged or can be read in two ways.", "Write it again with a JSON library."),
    "corrupt-image": Reason("warning", "An image that cannot be decoded.", "Replace it, or leave the sample out."),
    "unsupported-image": Reason(
        "error",
        "Content that is not JPEG, PNG or WebP, whatever it is called, grey of unknown range, or sides longer than its suffix holds.",
        "Convert it.",
    ),
    "too-many-pixels": Reason("error", "An image larger than the limit, before decoding.", "Scale it down, or raise limits.max_pixels."),
    "decoder-died": Reason("error", "The decoding process ended on this image.", "Leave it out; keep it as evidence."),
    "field-left-out": Reason(
        "note", "JSON that is neither a caption nor a number nor a known name or place.", "None: such fields are not passed on."
    ),
    "caption-cleaned": Reason("note", "A caption held invisible characters, or was not in NFC.", "None: it was cleaned on the way."),
}


def ends_shard(reason: str) -> bool:
    """Whether it says that a shard was not read to its end: what may follow there has been counted by nobody."""
    return reason.endswith("-shard")
