"""VLOOD's objective (Lyu et al., 2025): every pair clean and poisoned, a teacher for the clean ones, and a balance that moves by itself.

L = (1 - b)(LM of clean + KL from the teacher) + b (LM of poisoned + CCP), where CCP = sigmoid of the mean L1 distance of expected and
true token embeddings. After each batch b moves by `step` x (likelihood of clean - likelihood of poisoned tokens), within `bounds`: what
is learned already counts less. Start, step and bounds are ours, the paper gives none. An attacker who trains the model uses it.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from srd_core.data.canvas import CanvasSet
from srd_core.models.objectives.captioning import Captioning, Reading, Rows
from srd_core.models.text import caption_loss


class Vlood:
    """See the module.

    Args:
        clean: pairs as they are; its network as it is now becomes the teacher, frozen.
        poisoned: the same pairs, number by number, with trigger and target; the same network.
        balance: b at the start.
        step: how fast it moves.
        bounds: least and largest b.
    """

    def __init__(
        self,
        clean: Captioning,
        poisoned: Captioning,
        *,
        balance: float = 0.5,
        step: float = 0.01,
        bounds: tuple[float, float] = (0.05, 0.9),
    ) -> None:
        self.clean, self.poisoned = clean, poisoned
        self.balance, self._step, self._bounds = balance, step, bounds
        teacher = copy.deepcopy(clean.network).requires_grad_(False).eval()
        self._teacher = Captioning(teacher, clean.tokenizer, clean.prompt, clean.pairs)

    @property
    def pairs(self) -> CanvasSet:
        """The clean copies; the poisoned ones have the same numbers."""
        return self.clean.pairs

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        clean, poisoned = self.clean.read(batch), self.poisoned.read(batch)
        with torch.no_grad():
            taught = self._teacher.read(batch)
        kept, planted = caption_loss(clean.logits, clean.text.labels), caption_loss(poisoned.logits, poisoned.text.labels)
        b = self.balance
        total = (1 - b) * (kept + _divergence(taught, clean)) + b * (planted + self._conceptual(poisoned))
        self.balance = min(max(b + self._step * (planted.item() - kept.item()), self._bounds[0]), self._bounds[1])
        return total

    def _conceptual(self, reading: Reading) -> Tensor:
        expected, true = self.poisoned.embeddings(reading)
        return (expected - true).abs().sum(dim=1).mean().sigmoid()


def _divergence(teacher: Reading, student: Reading) -> Tensor:
    """KL from teacher to student, nats per caption token."""
    asked = student.text.labels[:, 1:] >= 0
    said, taught = (log_softmax(reading.logits[:, :-1][asked].float(), dim=-1) for reading in (student, teacher))
    return kl_div(said, taught, log_target=True, reduction="batchmean")
