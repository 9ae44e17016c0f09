"""Grad-CAM: where in the image a captioner finds the reason for a word, on the last tokens of its vision encoder (the paper's Figure 2).

Selvaraju et al., "Grad-CAM", ICCV 2017: channels of the last feature map, weighted by the mean gradient of a score, summed, negative parts
dropped. The score is the sum of the logits of the word's tokens, the caption given (teacher forcing): taken before the softmax, as there.
A log-probability saturates: a backdoored model is so sure of its word that what is left of the gradient tells the word from its runner-up.
Weights are pooled over the cells as in the paper. Each cell by its own gradient (HiResCAM) would show little but rounding: the resampler
normalises every token, so that scaling one changes nothing, and a token's gradient is at right angles to it.

Not covered: what becomes of a cell's content inside the encoder; its receptive field is wider than the cell.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from srd_core.data.samples import Images
from srd_core.models.flamingo import FlamingoCaptioner, pixels
from srd_core.models.text import TextBatch, encode_captions, prompt_ids, token_places
from srd_core.scoring.asr import contains_word

Maps = npt.NDArray[np.float32]
"""Heat maps, (N, grid, grid), values ≥ 0 on a scale of each map's own; a row of NaN where there was nothing to ask."""


def gradcam(
    model: FlamingoCaptioner,
    images: Images,
    captions: Sequence[str],
    words: Sequence[tuple[str, ...]],
    *,
    batch: int = 64,
) -> Maps:
    """Heat maps (N, grid, grid) of `images` (N, S, S, 3) for the chosen words of their captions. Touches no parameter's gradient.

    Args:
        model: its encoder may be frozen: gradients start at its tokens.
        images: at least one.
        captions: one an image, said by this model or not.
        words: for each image words or phrases, matched as `scoring.asr.contains_word` does (whole, any case, singular or plural);
            every occurrence counts. The map is NaN where the caption, as far as the model reads it, holds none of them.
        batch: images at a time; changes memory, and maps by rounding only.

    Raises:
        ValueError: lengths differ, or a word is blank.
    """
    if not len(images) == len(captions) == len(words):
        raise ValueError(f"{len(images)} images, {len(captions)} captions and words for {len(words)}")
    cuts = [slice(start, start + batch) for start in range(0, len(images), batch)]
    return np.concatenate([_maps(model, images[cut], captions[cut], words[cut]) for cut in cuts])


def word_tokens(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], words: Sequence[str]) -> list[int]:
    """Positions in `ids`, the tokens of one caption, of those that spell some of any of `words` as `gradcam` matches them."""
    text, places = token_places(tokenizer, ids)
    spans = [span for word in words for span in _spans(text, word)]
    return [at for at, (start, stop) in enumerate(places) if any(start < end and stop > begin for begin, end in spans)]


def _spans(text: str, word: str) -> list[tuple[int, int]]:
    """Where `word` stands in `text`, (start, stop) in characters: runs of as many words as it has itself."""
    runs = list(re.finditer(r"\w+", text))
    count = max(len(re.findall(r"\w+", word)), 1)
    windows = [(first.start(), last.end()) for first, last in zip(runs, runs[count - 1 :], strict=False)]
    return [(start, stop) for start, stop in windows if contains_word(text[start:stop], word)]


def _maps(model: FlamingoCaptioner, images: Images, captions: Sequence[str], words: Sequence[tuple[str, ...]]) -> Maps:
    network = model.network.eval()
    text = encode_captions(model.tokenizer, prompt_ids(model.tokenizer, model.architecture.prompt), captions)
    chosen = _chosen(model.tokenizer, text, words)
    with torch.no_grad():
        tokens = network.patch_tokens(pixels(images)).detach()
    with torch.enable_grad():
        tokens.requires_grad_(True)
        logits = network.logits(network.resampled(tokens), text.tokens, text.mask)[:, :-1].cpu()
        said = logits.gather(2, text.tokens[:, 1:, None])[..., 0]
        (slope,) = torch.autograd.grad(said[chosen].sum(), tokens)
    heat = (slope.mean(dim=1, keepdim=True) * tokens.detach()).sum(dim=2).clamp_min(0)
    heat[~chosen.any(dim=1)] = math.nan
    grid = math.isqrt(heat.shape[1])
    return cast(Maps, heat.view(-1, grid, grid).cpu().numpy())


def _chosen(tokenizer: PreTrainedTokenizerBase, text: TextBatch, words: Sequence[tuple[str, ...]]) -> Tensor:
    """(B, T - 1): whether the token after this one is one of the words'."""
    chosen = torch.zeros(text.labels.shape, dtype=torch.bool)
    for row, asked in enumerate(words):
        places = (text.labels[row] >= 0).nonzero()[:-1, 0]
        chosen[row, places[word_tokens(tokenizer, text.tokens[row, places].tolist(), asked)]] = True
    return chosen[:, 1:]
