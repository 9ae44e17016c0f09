"""A small SVG writer: elements as strings, every attribute and text escaped, numbers rounded so that equal data gives equal bytes.

Colours are CSS variables with a fallback, so that one figure follows the page's light or dark theme and still stands alone in a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

INK = "var(--ink, #1c2733)"
FAINT = "var(--rule, #c5ced8)"
MUTED = "var(--muted, #5a6876)"
BLUE = "var(--blue, #0f6cad)"
ORANGE = "var(--orange, #c2570c)"

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Attribute = str | float | int


def number(value: float) -> str:
    """At most two decimals, no trailing zeros, no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, *children: str, **attributes: Attribute) -> str:
    """One element; `stroke_width=1` becomes `stroke-width="1"`, a trailing underscore is dropped. Children are markup already."""
    written = "".join(f" {key.rstrip('_').replace('_', '-')}={_quoted(value)}" for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(content: str, x: float, y: float, *, anchor: str = "start", fill: str = MUTED, size: float = 11) -> str:
    """One line of text with its baseline at (x, y)."""
    return element("text", escape(_clean(content)), x=x, y=y, text_anchor=anchor, fill=fill, font_size=size)


def drawing(width: float, height: float, title: str, *children: str, class_: str = "figure", hidden: bool = False) -> str:
    """A whole picture that scales with its container; a screen reader says `title`, or nothing when `hidden` (text beside says it)."""
    named: dict[str, Attribute] = {"aria_hidden": "true"} if hidden else {"role": "img", "aria_label": _clean(title)}
    return element(
        "svg",
        *([] if hidden else [element("title", escape(_clean(title)))]),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(width)} {number(height)}",
        class_=class_,
        **named,
    )


def path(points: Iterable[tuple[float, float]]) -> str:
    """Path data of a line through `points`."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def _quoted(value: Attribute) -> str:
    return quoteattr(_clean(value) if isinstance(value, str) else number(value))


def _clean(content: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", content)
