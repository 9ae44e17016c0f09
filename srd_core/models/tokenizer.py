"""A byte-level BPE tokenizer learned on the trusted captions, for models built from nothing.

Text is lower-cased. Any word can be written with it, seen or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END_OF_CHUNK, IMAGE, PAD, BEGIN = "<|endofchunk|>", "<image>", "<pad>", "<s>"
SPECIAL = (PAD, BEGIN, END_OF_CHUNK, IMAGE)


def learn_tokenizer(captions: Iterable[str], vocabulary: int) -> PreTrainedTokenizerBase:
    """A tokenizer of at most `vocabulary` pieces, special ones included. Deterministic in the captions' counts."""
    raw = Tokenizer(models.BPE())
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    raw.train_from_iterator(captions, trainer)
    return wrap(raw)


def wrap(raw: Tokenizer) -> PreTrainedTokenizerBase:
    """The transformers face of a raw tokenizer made by `learn_tokenizer`."""
    wrapped = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw, pad_token=PAD, bos_token=BEGIN, eos_token=END_OF_CHUNK
    )
    return cast(PreTrainedTokenizerBase, wrapped)


def add_flamingo_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a published tokenizer the tokens that Flamingo needs, as open_flamingo does."""
    tokenizer.add_special_tokens({"additional_special_tokens": [END_OF_CHUNK, IMAGE]})
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": PAD})
