"""What a configuration names is looked at before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.errors import ConfigError
from srd_core.models.architecture import LanguageConfig
from srd_core.models.build import load_tokenizer
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.neural import NeuralFluency
from srd_core.stages.named import check_named


def test_a_folder_that_lies_here_is_not_taken_for_a_model_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: started in a data set that brought a folder of the language model's name, its weights scored the captions."""
    config = load_config("paper")
    check_named(config)
    name = config.reward.language_model
    assert name is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"reward\.language_model: there is something called"):
        check_named(config)
    with pytest.raises(
        ConfigError, match="there is something called"
    ):  # as a saved model or a call may name it, whatever the configuration
        NeuralFluency(name).perplexity(["a dog"])
    meant = load_config("paper", overrides=[f"reward.language_model={tmp_path / name}"])
    check_named(meant)


def test_an_encoder_without_its_owner_is_looked_for_under_the_owner_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the library puts `sentence-transformers/` before such a name, and took a folder called so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sentence-transformers" / "all-MiniLM-L6-v2").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"reward\.encoder: there is something called 'sentence-transformers/all-MiniLM-L6-v2'"):
        check_named(load_config(overrides=["reward.encoder=all-MiniLM-L6-v2"]))
    with pytest.raises(ConfigError, match="there is something called"):
        SentenceEncoder("all-MiniLM-L6-v2").embed(["a dog"])


def test_a_language_model_that_a_saved_model_or_srd_train_names_is_looked_at_where_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: only configurations of whole runs were looked at, and `srd train` took a stranger's folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facebook" / "opt-125m").mkdir(parents=True)
    with pytest.raises(ConfigError, match="there is something called 'facebook/opt-125m' here"):
        load_tokenizer(LanguageConfig(path="facebook/opt-125m"))
