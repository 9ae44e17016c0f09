"""The one protocol behind which every captioner stands: victims, base, reference, and models we did not make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from srd_core.data.canvas import CanvasSet
from srd_core.data.samples import Images
from srd_core.models.schedule import FitReport, Schedule


@dataclass(frozen=True, slots=True)
class WordLoss:
    """Surprise of one caption under a model, word by word: `nll[i]` nats for `words[i]` (sub-word pieces summed)."""

    words: tuple[str, ...]
    nll: npt.NDArray[np.float32]
    tokens: int
    """Number of sub-word tokens, for a mean per token."""

    @property
    def mean(self) -> float:
        """Nats per token."""
        return float(self.nll.sum()) / max(self.tokens, 1)

    @property
    def largest(self) -> float:
        """Nats of the most surprising word."""
        return float(self.nll.max()) if len(self.nll) else 0.0

    @property
    def most_surprising(self) -> str:
        """The word that `largest` belongs to."""
        return self.words[int(self.nll.argmax())] if len(self.nll) else ""


class Captioner(Protocol):
    """An image captioner. It takes batches of square images, (N, canvas, canvas, 3) uint8 RGB, `canvas` in pixels."""

    @property
    def canvas(self) -> int: ...

    def caption(self, images: Images) -> list[str]:
        """One caption an image, deterministic."""
        ...

    def word_loss(self, images: Images, captions: Sequence[str]) -> list[WordLoss]:
        """Teacher-forced surprise of `captions[i]` given `images[i]`: of every word, however long the caption."""
        ...

    def fit(self, pairs: CanvasSet, schedule: Schedule, *, seed: int) -> FitReport:
        """Train on `pairs` in place."""
        ...

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON; nothing pickled."""
        ...
