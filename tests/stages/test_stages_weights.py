"""A base that starts from weights which the configuration names, and `srd train`, which makes one as a run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from flows.cli import cli
from srd_core.config import Config, load_config
from srd_core.data.canvas import CanvasSet
from srd_core.errors import ConfigError
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.scenes.dataset import canvas_set, write_shards
from srd_core.stages import inventory
from srd_core.stages.named import check_named
from srd_core.stages.stage import Run
from srd_core.stages.trusted import BASE, train_new

BRIEF = ["base.schedule.epochs=1", "base.schedule.learning_rate=1e-12", "base.schedule.trains=perceiver+xattn"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(8, seed=3, side=32, folder=tmp_path_factory.mktemp("scenes"))


def between(model: FlamingoCaptioner) -> dict[str, torch.Tensor]:
    """What stands between images and text."""
    named = model.network.named_parameters()
    return {name: weight.detach().cpu() for name, weight in named if name.startswith("perceiver.") or "gated_cross_attn" in name}


def weights(folder: Path, config: Config, pairs: CanvasSet, value: float) -> Path:
    """A file in which every such weight has one value."""
    made = FlamingoCaptioner.create(config.base.architecture.model_copy(update={"canvas": 32}), pairs.captions, seed=5)
    save_file({name: torch.full_like(weight, value) for name, weight in between(made).items()}, folder / "w x.safetensors")
    return folder / "w x.safetensors"


def test_a_new_base_starts_from_the_weights_that_are_named(pairs: CanvasSet, tmp_path: Path) -> None:
    given = weights(tmp_path, load_config("test"), pairs, 0.03)
    config = load_config("test", overrides=[*BRIEF, f"base.weights={given.as_uri()}"])
    model, *_ = train_new(config.base, pairs, 32, seed=0, role="base", folder=tmp_path)
    assert between(model) and all(torch.allclose(weight, torch.tensor(0.03)) for weight in between(model).values())
    plain, *_ = train_new(load_config("test", overrides=BRIEF).base, pairs, 32, seed=0, role="base", folder=tmp_path)
    assert not any(torch.allclose(weight, torch.tensor(0.03)) for weight in between(plain).values())


def test_other_weights_under_the_same_name_make_another_base(pairs: CanvasSet, tmp_path: Path) -> None:
    write_shards(tmp_path / "trusted", 4, seed=1, side=32)
    config = load_config("test", overrides=[f"base.weights={tmp_path / 'w x.safetensors'}"])
    run = Run("", str(tmp_path / "sink"), str(tmp_path / "trusted"), config)
    trusted = inventory.take(run, "trusted")
    keys = set()
    for value in (0.03, 0.04, 0.03):
        weights(tmp_path, config, pairs, value)
        keys.add(BASE.key(run, {"trusted": trusted}, {}))
    assert len(keys) == 2


def test_weights_are_looked_for_before_anything_is_done(pairs: CanvasSet, tmp_path: Path) -> None:
    missing = tmp_path / "none.safetensors"
    with pytest.raises(ConfigError, match=r"no weights at .*none\.safetensors, which reference\.weights names"):
        check_named(load_config("test", overrides=[f"reference.weights={missing}"]))
    given = weights(tmp_path, load_config("test"), pairs, 0.0)
    check_named(load_config("test", overrides=[f"base.weights={given}"]))
    with pytest.raises(ConfigError, match=r"base\.path names a saved model and base\.weights what a new one starts from"):
        check_named(load_config("test", overrides=[f"base.weights={given}", "base.path=package:scenes/base"]))


def train(*words: str) -> Any:
    done = CliRunner().invoke(cli, ["train", *words, "--profile", "test"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_srd_train_makes_a_base_as_a_run_does(pairs: CanvasSet, tmp_path: Path) -> None:
    """Regression: only `base.schedule` counted, so that the photo profile, which learns to see first, gave a model that saw nothing."""
    write_shards(tmp_path / "trusted", 8, seed=1, side=32)
    given = weights(tmp_path, load_config("test"), pairs, 0.03)
    settings = [word for setting in (*BRIEF, f"base.weights={given}", "base.stickers=1.0") for word in ("--set", setting)]
    train(str(tmp_path / "trusted"), str(tmp_path / "model"), *settings)
    assert torch.allclose(load_file(tmp_path / "model" / "model.safetensors")["perceiver.latents"], torch.tensor(0.03))
    assert "sticker" in (tmp_path / "model" / "tokenizer.json").read_text()


def test_srd_train_takes_weights_for_a_new_model_only(tmp_path: Path) -> None:
    """Regression: where a saved model was named, base.weights was passed over without a word."""
    write_shards(tmp_path / "trusted", 2, seed=1, side=32)
    asked = ["train", str(tmp_path / "trusted"), str(tmp_path / "model"), "--profile", "scenes", "--set", "base.weights=/none.safetensors"]
    for more, said in (([], "base.path names a saved model"), (["--init", str(tmp_path)], "--init names a saved model")):
        done = CliRunner().invoke(cli, [*asked, *more])
        assert done.exit_code == 2 and said in done.stderr
    done = CliRunner().invoke(cli, [*asked, "--set", "base.path=null"])
    assert done.exit_code == 2 and "there are no weights at /none.safetensors" in done.stderr
