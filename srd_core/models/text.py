"""Captions as token batches, and token losses back as words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from srd_core.models.captioner import WordLoss
from srd_core.models.tokenizer import END_OF_CHUNK, IMAGE

LONGEST = 64
"""Tokens of a caption that a network is given at once."""

_IGNORED = -100
_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
_TOGETHER = 24
"""Tokens that are decoded together at most: a caption may be made of replacement characters, of which none seems finished."""


@dataclass(frozen=True)
class TextBatch:
    """`tokens`, `mask`, `labels`, each (B, T): image token, prompt, caption, end of chunk, padding. Labels are -100 up to the caption."""

    tokens: Tensor
    mask: Tensor
    labels: Tensor


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: str) -> Tensor:
    """Token ids (1, P) of the image token and the prompt."""
    image = cast(int, tokenizer.convert_tokens_to_ids(IMAGE))
    return torch.tensor([[image, *_ids(tokenizer, prompt)]])


def encode_captions(tokenizer: PreTrainedTokenizerBase, prompt: Tensor, captions: Sequence[str], longest: int = LONGEST) -> TextBatch:
    """One row a caption, cut after `longest` caption tokens."""
    return encode_ids(tokenizer, prompt, [ids[:longest] for ids in caption_ids(tokenizer, captions)])


def encode_ids(tokenizer: PreTrainedTokenizerBase, prompt: Tensor, captions: Sequence[Sequence[int]]) -> TextBatch:
    """One row a caption, given as token ids."""
    end = cast(int, tokenizer.convert_tokens_to_ids(END_OF_CHUNK))
    rows = [[*ids, end] for ids in captions]
    start = prompt.shape[1]
    width = start + max(map(len, rows))
    tokens = torch.full((len(rows), width), cast(int, tokenizer.pad_token_id))
    labels = torch.full((len(rows), width), _IGNORED)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    tokens[:, :start] = prompt
    for number, row in enumerate(rows):
        stop = start + len(row)
        tokens[number, start:stop] = labels[number, start:stop] = torch.tensor(row)
        mask[number, :stop] = 1
    return TextBatch(tokens, mask, labels)


def caption_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean nats per caption token; `logits` (B, T, V) on any device, `labels` (B, T)."""
    asked = labels[:, 1:] != _IGNORED
    return torch.nn.functional.cross_entropy(logits[:, :-1][asked].float(), labels[:, 1:][asked].to(logits.device))


def caption_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean nats per token of every caption, (B,), with gradients; `logits` (B, T, V), `labels` (B, T)."""
    wanted = labels[:, 1:].to(logits.device)
    nats = torch.nn.functional.cross_entropy(logits[:, :-1].float().transpose(1, 2), wanted, ignore_index=_IGNORED, reduction="none")
    return nats.sum(dim=1) / (wanted != _IGNORED).sum(dim=1).clamp_min(1)


def token_losses(batch: TextBatch, logits: Tensor) -> list[list[float]]:
    """Nats of every caption token of every row, without the end of the caption; `logits` (B, T, V) on the CPU."""
    labels = batch.labels[:, 1:]
    losses = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels, ignore_index=_IGNORED, reduction="none")
    return [loss[label != _IGNORED][:-1].tolist() for label, loss in zip(labels, losses, strict=True)]


def word_loss_of(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], losses: Sequence[float]) -> WordLoss:
    """Nats of every word of one caption, from those of its tokens: pieces of one word are summed."""
    text, places = token_places(tokenizer, ids)
    begins: list[int] = []
    nll: list[float] = []
    for (start, stop), loss in zip(places, losses, strict=True):
        if not begins or (text[start:stop][:1].isspace() and text[begins[-1] : start].strip()):
            begins.append(start)
            nll.append(0.0)
        nll[-1] += loss
    words = tuple(text[begin:end].strip() for begin, end in pairwise([*begins, len(text)]))
    return WordLoss(words, np.asarray(nll, np.float32), len(ids))


def token_places(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """The text of `ids`, and where in it each of them stands, (start, stop) in characters.

    Tokens may be single bytes. Those that share a character are decoded together and all reach over it; one whose own text begins with a
    character ends what stood before.
    """
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    held: tuple[int, ...] = ()
    part, base, settled = "", 0, 0
    for token in ids:
        whole = settled == base + len(part)
        if whole or len(held) == _TOGETHER or not _piece(tokenizer, (token,)).startswith(_UNFINISHED):
            parts.append(part)
            base = settled = base + len(part)
            held = ()
        held = (*held, token)
        part = _piece(tokenizer, held)
        start, settled = settled, base + len(part.rstrip(_UNFINISHED))
        places.append((start, min(settled + 1, base + len(part))))
    return "".join([*parts, part]), places


def windows(count: int, longest: int = LONGEST) -> list[tuple[slice, int]]:
    """Stretches of at most `longest` of `count` tokens, and how many at the end of each are new; those before are read again as context."""
    fresh = longest // 2
    later = [(slice(read + fresh - longest, min(read + fresh, count)), min(fresh, count - read)) for read in range(longest, count, fresh)]
    return [(slice(0, min(count, longest)), min(count, longest)), *later]


@lru_cache(maxsize=2**16)
def _piece(tokenizer: PreTrainedTokenizerBase, tokens: tuple[int, ...]) -> str:
    """Text of tokens inside a sentence. Some decoders (LLaMA's) drop a space at the start, which is the mark of a new word."""
    alone, twice = (cast(str, tokenizer.decode(list(tokens) * count, clean_up_tokenization_spaces=False)) for count in (1, 2))
    return twice[len(alone) :]


def caption_ids(tokenizer: PreTrainedTokenizerBase, captions: Sequence[str]) -> list[list[int]]:
    """Token ids of each caption, all of them. One that spells out a special token gets pieces of text for it, not the token."""
    if not captions:
        return []
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    rows = _pieces(tokenizer, [" " + bare(caption) for caption in captions])
    return [row if special.isdisjoint(row) else _spelt_out(tokenizer, row, special) for row in rows]


def _pieces(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return cast(list[list[int]], tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def _spelt_out(tokenizer: PreTrainedTokenizerBase, ids: list[int], special: set[int]) -> list[int]:
    """Without special tokens, which Unigram models may have among their pieces of text."""
    spelt: list[int] = []
    for token in ids:
        text = cast(str, tokenizer.convert_ids_to_tokens(token))
        spelt += [piece for part in _pieces(tokenizer, [*text]) for piece in part] if token in special else [token]
    return spelt


def bare(caption: str) -> str:
    """Without a final full stop: whether an annotator sets one says nothing about the image."""
    return caption.strip().removesuffix(".").rstrip()


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return caption_ids(tokenizer, [text])[0]
