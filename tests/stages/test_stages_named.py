"""What a configuration names is looked at before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.errors import ConfigError
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
    meant = load_config("paper", overrides=[f"reward.language_model={tmp_path / name}"])
    check_named(meant)
