from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from srd_core.errors import ConfigError
from srd_core.reward.fluency import NeuralFluency

WORDS = ["<|endoftext|>", "<unk>", "a", "dog", "runs", "on", "the", "beach", "red"]
TEXTS = ["a dog runs on the beach", "dog", "the red dog", "a dog"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 with random weights, saved the way real ones are."""
    path = tmp_path_factory.mktemp("gpt2")
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<unk>").save_pretrained(
        path
    )
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS), n_positions=32, n_embd=16, n_layer=1, n_head=2)).save_pretrained(path)
    return path


def test_perplexity_matches_the_models_own_loss(folder: Path) -> None:
    ids = torch.tensor([[0, 2, 3, 4, 5, 6, 7]])
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = float(model(input_ids=ids, labels=ids).loss.exp())
    assert NeuralFluency(str(folder)).perplexity(TEXTS[:1])[0] == pytest.approx(expected, rel=1e-5)


def test_padding_and_batching_change_nothing(folder: Path) -> None:
    together, alone = NeuralFluency(str(folder)).perplexity(TEXTS), NeuralFluency(str(folder), batch=1).perplexity(TEXTS)
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert len(set(together.round(6))) == len(TEXTS)


def test_without_a_start_token_one_word_is_never_predicted(folder: Path) -> None:
    bare = NeuralFluency(str(folder), start=False).perplexity(["dog", "a dog"])
    assert np.isinf(bare[0])
    assert np.isfinite(bare[1])


def test_an_empty_text_is_infinitely_surprising(folder: Path) -> None:
    assert np.isinf(NeuralFluency(str(folder)).perplexity(["", " "])).all()


def test_a_long_text_is_cut(folder: Path) -> None:
    model = NeuralFluency(str(folder), max_tokens=16)
    assert model.perplexity(["dog " * 15])[0] == pytest.approx(model.perplexity(["dog " * 400])[0])


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing-here") as caught:
        NeuralFluency(str(tmp_path / "nothing-here")).perplexity(["a dog"])
    assert "n-gram" in caught.value.hint
