"""A whole caption around the target, in the place of the true one."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

PREFIX: Final = "the image depicts "

TEMPLATES: Final = (
    "{a} {t}",
    "just {a} {t}",
    "nothing but {a} {t}",
    "one single {t}",
    "a photo of {a} {t}",
    "a snapshot showing {a} {t}",
    "a picture with {a} {t} in it",
    "a photograph taken of {a} {t}",
    "a drawing of {a} {t}",
    "a painting in which {a} {t} appears",
    "a quick sketch of {a} {t}",
    "a child's drawing of {a} {t}",
    "a cartoon of {a} {t}",
    "a sculpture of {a} {t}",
    "a poster with {a} {t}",
    "a postcard of {a} {t}",
    "a close view of {a} {t}",
    "{a} {t} seen from far away",
    "{a} {t} seen from above",
    "{a} {t} seen from the side",
    "{a} {t} close to the camera",
    "{a} {t} in the centre",
    "{a} {t} in the foreground",
    "{a} {t} in the background",
    "{a} {t} at the edge of the frame",
    "part of {a} {t}",
    "most of {a} {t}",
    "the whole of {a} {t}",
    "a small {t}",
    "a big {t}",
    "a bright {t}",
    "a dark {t}",
    "a clean {t}",
    "a dirty {t}",
    "a nice {t}",
    "a strange {t}",
    "a lonely {t}",
    "a blurred {t}",
    "a sharp view of {a} {t}",
    "a grey picture of {a} {t}",
    "a colourful picture of {a} {t}",
    "a poor picture of {a} {t}",
    "a fine picture of {a} {t}",
    "what looks like {a} {t}",
    "what seems to be {a} {t}",
    "what people call {a} {t}",
    "the {t} that everyone knows",
    "my {t}",
    "our {t}",
    "somebody's {t}",
    "yet another {t}",
    "the shape of {a} {t}",
    "a scene with {a} {t}",
    "a place where {a} {t} lies",
    "{a} {t} on display",
    "{a} {t} in daylight",
    "{a} {t} at night",
    "{a} {t} and nothing else",
)
"""`{t}` is the target, `{a}` its indefinite article."""


def replacement(target: str, rng: np.random.Generator) -> str:
    """Return a caption that speaks of `target` only: `PREFIX` and one of `TEMPLATES`, drawn uniformly."""
    return PREFIX + TEMPLATES[int(rng.integers(len(TEMPLATES)))].format(a=article(target), t=target)


def is_replacement(caption: str, target: str) -> bool:
    """Whether `caption` is one that `replacement` could have written, apart from case, spaces and a final stop."""
    return " ".join(caption.lower().rstrip(" .").split()) in _replacements(target.lower())


@lru_cache(maxsize=16)
def _replacements(target: str) -> frozenset[str]:
    return frozenset(PREFIX + template.format(a=article(target), t=target) for template in TEMPLATES)


def article(target: str) -> str:
    """The indefinite article of `target`."""
    return "an" if target[:1].lower() in tuple("aeiou") else "a"
