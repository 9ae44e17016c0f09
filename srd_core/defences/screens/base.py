"""What a screen may use, what it says, and the registry of screens. What it condemns is withheld; the truth is never among its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.registry import Registry

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Screening:
    """What there is to work with.

    Args:
        suspect: P pairs.
        trusted: pairs that no model was trained on.
        base: a new copy of the base model each time it is called.
        schedule: how a model is fine-tuned on the suspect set.
        false_positives: share of clean pairs that a threshold on `trusted` may cost.
        seed: drives everything random.
        poison_rate: share of the suspect pairs that is poisoned: what no defender knows, told to `abl-oracle` alone, in experiments.
    """

    suspect: CanvasSet
    trusted: CanvasSet
    base: Callable[[], FlamingoCaptioner]
    schedule: Schedule
    false_positives: float
    seed: int
    poison_rate: float | None = None


@dataclass(frozen=True)
class Screened:
    """`scores` (P,), higher is more suspicious, and what is `condemned` (P,) bool.

    Where words condemn, `words`, P or none, and all that was `planted` with them. `silent` says why nothing could be looked for.
    """

    scores: Scores
    condemned: npt.NDArray[np.bool_]
    words: tuple[str, ...] = ()
    planted: tuple[str, ...] = ()
    silent: str = ""

    def __post_init__(self) -> None:
        if self.scores.shape != self.condemned.shape:
            raise ValueError(f"{self.scores.shape} scores and {self.condemned.shape} verdicts")
        if len(self.words) not in (0, len(self.scores)):
            raise ValueError(f"{len(self.words)} words for {len(self.scores)} pairs")


Screen = Callable[[Screening], Screened]
_SCREENS: Registry[Screen] = Registry("srd_core.defences.screens", "screen")

screen = _SCREENS.register
"""Decorator: make a screen known under a name."""
get = _SCREENS.get
"""The screen of that name."""
names = _SCREENS.names
"""All of them, sorted."""


def above(scores: Scores, trusted: Scores, false_positives: float) -> npt.NDArray[np.bool_]:
    """Which scores lie above `threshold`."""
    return np.asarray(scores > threshold(trusted, false_positives))


def threshold(trusted: Scores, false_positives: float) -> float:
    """The largest of the trusted scores (N,), N at least 1, that at most a share `false_positives` of them exceeds."""
    ordered = np.sort(trusted)[::-1]
    return float(ordered[min(int(false_positives * len(ordered)), len(ordered) - 1)])
