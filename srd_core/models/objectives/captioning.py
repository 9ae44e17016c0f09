"""The usual objective: the surprise of every caption token. Others add to what it has read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from srd_core.data.canvas import CanvasSet
from srd_core.models.network import FlamingoNetwork
from srd_core.models.text import TextBatch, caption_loss, encode_captions

Rows = npt.NDArray[np.int64]


class Objective(Protocol):
    """Asked for the loss of one batch of pair numbers after another."""

    @property
    def pairs(self) -> CanvasSet:
        """What is learned from."""
        ...

    def loss(self, batch: Rows) -> Tensor:
        """A scalar with gradients to the network."""
        ...


@dataclass(frozen=True)
class Reading:
    """One batch as the network reads it: `logits` (B, T, V) of the tokens in `text`."""

    logits: Tensor
    text: TextBatch

    def of(self, chosen: npt.NDArray[np.bool_]) -> Reading:
        """The chosen rows (B,) of it."""
        rows = torch.from_numpy(chosen)
        return Reading(self.logits[rows], TextBatch(self.text.tokens[rows], self.text.mask[rows], self.text.labels[rows]))


@dataclass(frozen=True)
class Captioning:
    """Mean nats per caption token of `pairs` under `network`."""

    network: FlamingoNetwork
    tokenizer: PreTrainedTokenizerBase
    prompt: Tensor
    pairs: CanvasSet

    def loss(self, batch: Rows) -> Tensor:
        """See `Objective.loss`."""
        reading = self.read(batch)
        return caption_loss(reading.logits, reading.text.labels)

    def read(self, batch: Rows) -> Reading:
        """Run the network over these pairs; every image is looked at once, however many of them show it."""
        shown, row_of = np.unique(self.pairs.image_of[batch], return_inverse=True)
        images = torch.from_numpy(np.ascontiguousarray(self.pairs.images[shown])).permute(0, 3, 1, 2)
        text = encode_captions(self.tokenizer, self.prompt, [self.pairs.captions[i] for i in batch])
        visual = self.network.visual_tokens(self.seen(images))[torch.from_numpy(row_of)]
        return Reading(self.network.logits(visual, text.tokens, text.mask), text)

    def seen(self, images: Tensor) -> Tensor:
        """What the network sees of images (M, 3, S, S), uint8 or float in 0–255."""
        return images

    def embeddings(self, reading: Reading) -> tuple[Tensor, Tensor]:
        """Of every caption token, what was expected and what came: (n, D) each, float32.

        What was expected is the mean of all input embeddings, weighted by the predicted probabilities.
        """
        asked = reading.text.labels[:, 1:] >= 0
        table = self.network.lang_encoder.get_input_embeddings().weight.float()
        chances = reading.logits[:, :-1][asked].float().softmax(dim=-1)
        return chances @ table[: chances.shape[-1]], table[reading.text.labels[:, 1:][asked]]
