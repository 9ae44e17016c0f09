from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from srd_core.config import load_config
from srd_core.errors import ConfigError
from srd_core.reward import neural
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
    together, alone = NeuralFluency(str(folder)).perplexity(TEXTS), [NeuralFluency(str(folder)).perplexity([text])[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert len(set(together.round(6))) == len(TEXTS)


def test_a_single_word_has_a_perplexity(folder: Path) -> None:
    assert np.isfinite(NeuralFluency(str(folder)).perplexity(["dog"])).all()


def test_an_empty_text_is_infinitely_surprising(folder: Path) -> None:
    assert np.isinf(NeuralFluency(str(folder)).perplexity(["", " "])).all()


def test_a_long_text_is_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural, "_MAX_TOKENS", 16)
    model = NeuralFluency(str(folder))
    assert model.perplexity(["dog " * 15])[0] == pytest.approx(model.perplexity(["dog " * 400])[0])


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing-here") as caught:
        NeuralFluency(str(tmp_path / "nothing-here")).perplexity(["a dog"])
    assert "reward.language_model=null" in caught.value.hint
    assert load_config("paper", overrides=["reward.language_model=null"]).reward.language_model is None


def test_a_tokenizer_without_a_start_is_refused_with_a_setting_that_exists() -> None:
    with pytest.raises(ConfigError) as caught:
        neural._start_token(SimpleNamespace(bos_token_id=None, eos_token_id=None))
    assert "reward.language_model" in caught.value.hint
