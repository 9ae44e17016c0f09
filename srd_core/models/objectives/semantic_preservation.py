"""TrojVLM's objective (Lyu et al., 2024): the captions' tokens, and the direction of what was expected in place of each.

The second term holds the meaning of a triggered caption together around the inserted word. An attacker who trains the model uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from srd_core.data.canvas import CanvasSet
from srd_core.models.objectives.captioning import Captioning, Reading, Rows
from srd_core.models.text import caption_loss


@dataclass(frozen=True)
class SemanticPreservation:
    """L = sum over clean and poisoned pairs of (LM - `weight` x mean cosine between expected and true token embeddings).

    Each of the two counts in full, however few of a batch are poisoned. `poisoned` (P,) bool says which pairs are.
    """

    captions: Captioning
    poisoned: npt.NDArray[np.bool_]
    weight: float = 1.0

    @property
    def pairs(self) -> CanvasSet:
        """Clean and poisoned ones together."""
        return self.captions.pairs

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        reading, bad = self.captions.read(batch), self.poisoned[batch]
        return torch.stack([self._of(reading.of(stream)) for stream in (~bad, bad) if stream.any()]).sum()

    def _of(self, reading: Reading) -> Tensor:
        expected, true = self.captions.embeddings(reading)
        return caption_loss(reading.logits, reading.text.labels) - self.weight * cosine_similarity(expected, true, dim=1).mean()
