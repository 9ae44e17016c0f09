"""Characters that leave no mark on a page, though their category does not say so: fillers are letters, variation selectors marks.

Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt, the same since Unicode 14.0), and the Braille cell without dots.
Not covered: spaces of any width, and characters that a font happens to lack.
"""

from __future__ import annotations

_DEFAULT = """00AD 034F 061C 115F..1160 17B4..17B5 180B..180F 200B..200F 202A..202E 2060..206F 3164 FE00..FE0F FEFF FFA0 FFF0..FFF8
1BCA0..1BCA3 1D173..1D17A E0000..E0FFF"""
_BLANK = "2800"


def _characters(table: str) -> frozenset[str]:
    ranges = (item.partition("..") for item in table.split())
    return frozenset(chr(code) for first, _, last in ranges for code in range(int(first, 16), int(last or first, 16) + 1))


IGNORABLE = _characters(f"{_DEFAULT} {_BLANK}")
"""The two joiners that some scripts are written with are among them."""
