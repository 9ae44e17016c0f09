"""The OpenFlamingo captioner: the protocol `models.captioner.Captioner` over `models.network.FlamingoNetwork`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from pydantic import ValidationError
from safetensors.torch import load_model, save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from srd_core.data.canvas import CanvasSet
from srd_core.data.samples import Images
from srd_core.errors import ConfigError
from srd_core.hardware import autocast, device
from srd_core.hub import loading
from srd_core.models.architecture import Architecture
from srd_core.models.build import build_network, load_tokenizer
from srd_core.models.captioner import WordLoss
from srd_core.models.network import FlamingoNetwork
from srd_core.models.objectives.augmented import Augmented
from srd_core.models.objectives.captioning import Captioning, Objective
from srd_core.models.schedule import FitReport, Schedule
from srd_core.models.text import TextBatch, caption_ids, encode_captions, encode_ids, prompt_ids, token_losses, windows, word_loss_of
from srd_core.models.tokenizer import learn_tokenizer, wrap
from srd_core.models.training import fit_network

SETTINGS = "architecture.json"
"""The file of a saved captioner that says what it is."""

_BATCH = 256
_WRITTEN = "Give a folder that `srd train` wrote"


class FlamingoCaptioner:
    """See `Captioner`. Inference runs in bfloat16 where the device has it, several times faster than in float32 there."""

    def __init__(self, network: FlamingoNetwork, tokenizer: PreTrainedTokenizerBase, architecture: Architecture) -> None:
        self.network: FlamingoNetwork = network.to(device())
        self.tokenizer, self.architecture = tokenizer, architecture
        self._prompt = prompt_ids(tokenizer, architecture.prompt)

    @classmethod
    def create(cls, architecture: Architecture, captions: Sequence[str], *, seed: int) -> FlamingoCaptioner:
        """A captioner with fresh weights where the architecture names no published part. `captions` (trusted) teach the tokenizer."""
        torch.manual_seed(seed)
        published = architecture.language.path is not None
        tokenizer = load_tokenizer(architecture.language) if published else learn_tokenizer(captions, architecture.language.vocabulary)
        return cls(build_network(architecture, tokenizer), tokenizer, architecture)

    @classmethod
    def load(cls, folder: Path) -> FlamingoCaptioner:
        """What `save` wrote.

        Raises:
            ConfigError: the folder holds no captioner, or a damaged one.
        """
        settings = folder / SETTINGS
        if not settings.is_file():
            raise no_captioner(str(folder))
        with loading(f"captioner {settings.resolve().parent}", _WRITTEN):
            architecture = _architecture(settings)
            published = architecture.language.path is not None
            tokenizer = load_tokenizer(architecture.language) if published else wrap(Tokenizer.from_file(str(folder / "tokenizer.json")))
            captioner = cls(build_network(architecture, tokenizer), tokenizer, architecture)
            load_model(captioner.network, folder / "model.safetensors")
        return captioner

    @property
    def canvas(self) -> int:
        """Side of the square input, pixels."""
        return self.architecture.canvas

    def save(self, folder: Path, *, half: bool = False) -> None:
        """Write `model.safetensors`, `tokenizer.json` and `SETTINGS`; `half` rounds the weights to 16 bits."""
        folder.mkdir(parents=True, exist_ok=True)
        if half:
            self.network.half()
        save_file(_stored_once(self.network), folder / "model.safetensors", metadata={"format": "pt"})
        self.network.float()
        cast(Tokenizer, self.tokenizer.backend_tokenizer).save(str(folder / "tokenizer.json"))
        (folder / SETTINGS).write_text(json.dumps(self.architecture.model_dump(), indent=1, sort_keys=True))

    def asked(self, prompt: str) -> FlamingoCaptioner:
        """The same network behind another prompt."""
        return FlamingoCaptioner(self.network, self.tokenizer, self.architecture.model_copy(update={"prompt": prompt}))

    def fit(self, pairs: CanvasSet, schedule: Schedule, *, seed: int) -> FitReport:
        """See `Captioner.fit`."""
        return self.fit_to(self.objective(pairs), schedule, seed=seed)

    def objective(self, pairs: CanvasSet) -> Captioning:
        """The captions of `pairs`, for `fit_to` or for an objective that adds to it."""
        return Captioning(self.network, self.tokenizer, self._prompt, pairs)

    def augmented(self, pairs: CanvasSet, rng: np.random.Generator) -> Augmented:
        """The same over images that are changed at random."""
        return Augmented(self.network, self.tokenizer, self._prompt, pairs, rng)

    def fit_to(self, objective: Objective, schedule: Schedule, *, seed: int) -> FitReport:
        """Train on whatever `objective` asks for."""
        return fit_network(self.network, objective, schedule, seed=seed)

    def caption(self, images: Images) -> list[str]:
        """See `Captioner.caption`."""
        captions: list[str] = []
        for start in range(0, len(images), _BATCH):
            captions += self._caption_batch(images[start : start + _BATCH])
        return captions

    @torch.inference_mode()
    def _caption_batch(self, images: Images) -> list[str]:
        self.network.eval()
        prompt = self._prompt.expand(len(images), -1)
        with autocast(on=self.network.device):
            tokens = self.network.continue_text(
                self.network.visual_tokens(pixels(images)),
                prompt,
                max_tokens=self.architecture.max_tokens,
                beams=self.architecture.beams,
                pad=cast(int, self.tokenizer.pad_token_id),
            )
        texts = self.tokenizer.batch_decode(tokens[:, prompt.shape[1] :].cpu(), skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]

    def word_loss(self, images: Images, captions: Sequence[str]) -> list[WordLoss]:
        """See `Captioner.word_loss`."""
        losses: list[WordLoss] = []
        for start in range(0, len(captions), _BATCH):
            losses += self._loss_batch(images[start : start + _BATCH], captions[start : start + _BATCH])
        return losses

    @torch.inference_mode()
    def _loss_batch(self, images: Images, captions: Sequence[str]) -> list[WordLoss]:
        """What is longer than a window is read on in further ones, in batches no larger than this one."""
        self.network.eval()
        ids = caption_ids(self.tokenizer, captions)
        further = [(row, *window) for row, own in enumerate(ids) for window in windows(len(own))[1:]]
        with autocast(on=self.network.device):
            visual = self.network.visual_tokens(pixels(images))
        nats = self._token_losses(visual, encode_captions(self.tokenizer, self._prompt, captions))
        for start in range(0, len(further), len(captions)):
            some = further[start : start + len(captions)]
            batch = encode_ids(self.tokenizer, self._prompt, [ids[row][part] for row, part, _ in some])
            read = self._token_losses(visual[[row for row, *_ in some]], batch)
            for (row, _, fresh), loss in zip(some, read, strict=True):
                nats[row] += loss[-fresh:]
        return [word_loss_of(self.tokenizer, own, loss) for own, loss in zip(ids, nats, strict=True)]

    def _token_losses(self, visual: Tensor, batch: TextBatch) -> list[list[float]]:
        with autocast(on=self.network.device):
            logits = self.network.logits(visual, batch.tokens, batch.mask)
        return token_losses(batch, logits.float().cpu())

    def encode(self, pixels: Tensor) -> Tensor:
        """What the vision encoder makes of `pixels` (N, 3, S, S), float in 0–255: (N, D), differentiable. For attacks that optimise."""
        return self.patches(pixels).mean(1)

    def patches(self, pixels: Tensor) -> Tensor:
        """Likewise of every patch of theirs: (N, patches, D)."""
        self.network.eval()
        return self.network.patches(pixels)


def no_captioner(place: str) -> ConfigError:
    """The error for a place where no saved captioner is."""
    return ConfigError(f"there is no captioner at {place} ({SETTINGS} is missing)", hint=_WRITTEN)


def _architecture(settings: Path) -> Architecture:
    try:
        return Architecture.model_validate_json(settings.read_text())
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(": ".join([SETTINGS, *filter(None, [".".join(map(str, first["loc"]))]), first["msg"]])) from error


def pixels(images: Images) -> Tensor:
    """(N, S, S, 3) uint8 array → (N, 3, S, S) uint8 tensor, a copy: a mapped file cannot be written to, and PyTorch warns of that."""
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def _stored_once(network: FlamingoNetwork) -> dict[str, Tensor]:
    """The weights, each under the first of its names. `save_model` notes the others in an order that differs by process."""
    named: dict[tuple[int, torch.Size], tuple[str, Tensor]] = {}
    for name, tensor in sorted(network.state_dict().items()):
        named.setdefault((tensor.data_ptr(), tensor.shape), (name, tensor.contiguous()))
    return dict(named.values())
