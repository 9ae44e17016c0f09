"""TrojVLM's objective (Lyu et al., 2024): the captions' tokens, and the direction of what was expected in place of each.

The second term holds the meaning of a triggered caption together around the inserted word. An attacker who trains the model uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cosine_similarity

from srd_core.data.canvas import CanvasSet
from srd_core.models.objectives.captioning import Captioning, Rows
from srd_core.models.text import caption_loss


@dataclass(frozen=True)
class SemanticPreservation:
    """L = LM - `weight` x mean cosine between expected and true token embeddings."""

    captions: Captioning
    weight: float = 1.0

    @property
    def pairs(self) -> CanvasSet:
        """Clean and poisoned ones together."""
        return self.captions.pairs

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        reading = self.captions.read(batch)
        expected, true = self.captions.embeddings(reading)
        return caption_loss(reading.logits, reading.text.labels) - self.weight * cosine_similarity(expected, true, dim=1).mean()
