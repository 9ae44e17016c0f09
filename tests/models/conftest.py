"""Eight scenes, a captioner small enough to learn a caption of each by heart, and language models as they are published."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from srd_core.config import load_config
from srd_core.data.canvas import CanvasSet
from srd_core.data.samples import Images
from srd_core.models.architecture import Architecture
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.scenes.dataset import canvas_set

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HEART = Schedule(epochs=250, batch_size=8, learning_rate=5e-3, weight_decay=0.0)


@dataclass(frozen=True)
class Learned:
    """A captioner that knows `pairs` by heart; `images` and `captions` in the order of the pairs."""

    model: FlamingoCaptioner
    pairs: CanvasSet
    images: Images
    captions: list[str]


@pytest.fixture(scope="session")
def tiny() -> Architecture:
    """The test profile's."""
    return load_config("test").base.architecture.model_copy(update={"canvas": 32})


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    """Eight scenes with five captions each."""
    return canvas_set(8, seed=3, side=32, folder=tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="session")
def one_each(scenes: CanvasSet) -> CanvasSet:
    """The first caption of each scene."""
    return scenes.take(np.unique(scenes.image_of, return_index=True)[1])


@pytest.fixture(scope="session")
def learned(tiny: Architecture, scenes: CanvasSet, one_each: CanvasSet) -> Learned:
    """Do not change it."""
    model = FlamingoCaptioner.create(tiny.model_copy(update={"max_tokens": 40}), scenes.captions, seed=0)
    model.fit(one_each, HEART, seed=0)
    return Learned(model, one_each, np.asarray(one_each.images[one_each.image_of]), list(one_each.captions))


@pytest.fixture
def fresh(tiny: Architecture, scenes: CanvasSet) -> FlamingoCaptioner:
    """An untrained captioner of the test's own."""
    return FlamingoCaptioner.create(tiny, scenes.captions, seed=0)


@pytest.fixture(scope="session")
def published(scenes: CanvasSet, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`published("opt" | "neox" | "llama")`: a folder with a random language model and its tokenizer, as the hub has them."""
    from transformers import AutoModelForCausalLM, GPTNeoXConfig, LlamaConfig, OPTConfig  # after srd_core, which mends torchvision

    root = tmp_path_factory.mktemp("hub")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 128}

    def save(kind: str) -> Path:
        folder = root / kind
        if folder.exists():
            return folder
        if kind == "opt":
            tokenizer = _fast(_byte_level(scenes, ["<s>", "<pad>", "</s>"]), bos_token="</s>", eos_token="</s>", pad_token="<pad>")
            ids = {"pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 2}
            shape = OPTConfig(vocab_size=len(tokenizer), word_embed_proj_dim=32, ffn_dim=64, **ids, **sizes)
        elif kind == "neox":
            tokenizer = _fast(_byte_level(scenes, ["<|endoftext|>"]), bos_token="<|endoftext|>", eos_token="<|endoftext|>")
            shape = GPTNeoXConfig(vocab_size=len(tokenizer) + 20, intermediate_size=64, **sizes)
        else:
            tokenizer = _fast(_sentence_piece(scenes), bos_token="<s>", eos_token="</s>", unk_token="<unk>")
            shape = LlamaConfig(vocab_size=len(tokenizer), intermediate_size=64, num_key_value_heads=2, **sizes)
        model = AutoModelForCausalLM.from_config(shape)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def tower(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a small CLIP that open_clip knows."""
    import open_clip

    name = "ViT-nano-8"
    shape = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
    path = tmp_path_factory.mktemp("towers") / f"{name}.json"
    path.write_text(json.dumps({"embed_dim": 32, "vision_cfg": shape, "text_cfg": text}))
    open_clip.add_model_config(path)
    return name


def _fast(raw: Tokenizer, **special: str) -> PreTrainedTokenizerBase:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=raw, **special)


def _byte_level(scenes: CanvasSet, special: list[str]) -> Tokenizer:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator(scenes.captions, trainer)
    return raw


def _sentence_piece(scenes: CanvasSet) -> Tokenizer:
    """As LLaMA's: spaces become a sign of their own, and decoding drops the one at the start."""
    raw = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    alphabet = list("abcdefghijklmnopqrstuvwxyz▁")
    special = ["<unk>", "<s>", "</s>"]
    raw.train_from_iterator(
        scenes.captions, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    return raw
