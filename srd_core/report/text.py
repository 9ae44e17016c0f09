"""Text that an attacker may have written, made safe to look at: what cannot be seen becomes visible, what is too long is cut.

Captions and keys come from untrusted shards. An escape sequence could repaint a terminal, a right-to-left override could make one caption
read as another, a lone surrogate cannot even be encoded. Not covered: HTML escaping (the template's autoescape) and look-alike letters.
"""

from __future__ import annotations

import unicodedata

from srd_core.data.ignorable import IGNORABLE

CAPTION = 280
"""Characters of a caption that are shown."""

NAME = 96
"""Characters of a key, pair id, shard name or word that are shown."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Me"})
_MARKS_IN_A_ROW = 3


def visible(text: str, limit: int = CAPTION) -> str:
    """`text` of at most `limit` of its characters, with every invisible one written out: `⟨U+001B⟩` for ESC."""
    shown: list[str] = []
    marks = 0
    for character in text[:limit]:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        if category in _HIDDEN or character in IGNORABLE or marks > _MARKS_IN_A_ROW:
            shown.append(f"⟨U+{ord(character):04X}⟩")
        else:
            shown.append(character)
    if len(text) > limit:
        shown.append(f"… ({len(text) - limit:,} more characters)")
    return "".join(shown)
