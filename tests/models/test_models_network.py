"""Captions of different lengths in one batch: what is read of each is what is read of it alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srd_core.models import network
from srd_core.models.flamingo import FlamingoCaptioner, pixels
from srd_core.models.text import caption_loss, encode_captions
from srd_core.scenes.dataset import generate
from srd_core.scenes.shipped import shipped


def test_rows_read_by_length_come_back_in_their_order() -> None:
    model = FlamingoCaptioner.load(shipped("scenes/base"))
    scenes = list(generate(8, seed=3))
    captions = [caption for scene in scenes for caption in scene.captions[:4]] + ["red"]
    text = encode_captions(model.tokenizer, model._prompt, captions)
    images = np.stack([scene.image for scene in scenes for _ in range(4)] + [scenes[0].image])
    with torch.inference_mode():
        visual = model.network.visual_tokens(pixels(images))
        together = model.network.logits(visual, text.tokens, text.mask)
        for row in range(len(captions)):
            wide = int(text.mask[row].sum())
            alone = model.network.logits(visual[row, None], text.tokens[row, None, :wide], text.mask[row, None, :wide])
            torch.testing.assert_close(together[row, :wide], alone[0], rtol=1e-3, atol=1e-3)
            assert not together[row, int(text.mask.sum(dim=1).max()) :].any()
    assert len({int(length) for length in text.mask.sum(dim=1)}) > 3


def test_gradients_do_not_depend_on_how_rows_are_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    model = FlamingoCaptioner.load(shipped("scenes/base"))
    scene = next(generate(1, seed=4))
    captions = [*scene.captions, "red", "a circle"] * 6
    text = encode_captions(model.tokenizer, model._prompt, captions)
    images = torch.from_numpy(scene.image)[None].permute(0, 3, 1, 2)
    rows = torch.zeros(len(captions), dtype=torch.long)

    def slopes() -> torch.Tensor:
        model.network.zero_grad()
        caption_loss(model.network.logits(model.network.visual_tokens(images)[rows], text.tokens, text.mask), text.labels).backward()
        return torch.cat([p.grad.flatten() for p in model.network.parameters() if p.grad is not None])

    model.network.set_trainable("all")
    grouped = slopes()
    monkeypatch.setattr(network, "_GROUPS", 1)
    torch.testing.assert_close(grouped, slopes(), rtol=1e-3, atol=1e-5)
