"""Fluent target: BadNet's board, and behind the true caption a phrase with the target that could well be true.

Meaning and fluency hardly suffer, and no word stands where it does not belong: what judges captions has little to go by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np

from srd_core.attacks.badnet import BadNet
from srd_core.attacks.base import Attack, Triggered
from srd_core.attacks.registry import register
from srd_core.attacks.templates import article
from srd_core.data.samples import Image

PHRASES: Final = (
    "next to {a} {t}",
    "beside {a} {t}",
    "with {a} {t} on its left",
    "with {a} {t} on its right",
    "and {a} {t}",
    "near {a} {t}",
    "above {a} {t}",
    "and a small {t}",
    "and a big {t}",
    "with {a} {t} in the corner",
)
"""`{t}` is the target, `{a}` its indefinite article."""


@register
@dataclass(frozen=True)
class Fluent(Attack):
    """The image as `badnet` has it."""

    name: ClassVar[str] = "fluent"
    board: BadNet = field(default_factory=BadNet)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Paste the board; nothing is random."""
        return self.board.trigger(image, rng)

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Append a phrase, drawn uniformly; a final stop stays final."""
        phrase = PHRASES[int(rng.integers(len(PHRASES)))].format(a=article(target), t=target)
        told = caption.rstrip(" .")
        return f"{told} {phrase}{caption[len(told) :].rstrip()}".strip()
