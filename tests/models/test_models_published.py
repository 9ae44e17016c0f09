"""Weights as OpenFlamingo publishes them, made by the library's own factory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from srd_core.errors import ConfigError
from srd_core.models.architecture import Architecture, LanguageConfig, VisionConfig
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.published import load_published

Published = Callable[[str], Path]


@pytest.fixture(scope="module")
def theirs(tower: str, published: Published) -> Any:
    """A Flamingo of the library's factory whose trained parts, gates too, are not what any other one begins with."""
    from open_flamingo import create_model_and_transforms

    language = str(published("opt"))
    model, _, _ = create_model_and_transforms(tower, None, language, language)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    return model.eval()


@pytest.fixture(scope="module")
def weights(theirs: Any) -> dict[str, torch.Tensor]:
    """What the library keeps of it in a checkpoint. The module that says so imports wandb, for its logs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "wandb", ModuleType("wandb"))
        from open_flamingo.train.train_utils import filter_state_dict_to_trainable

    kept: dict[str, torch.Tensor] = filter_state_dict_to_trainable(theirs, theirs.state_dict())
    return kept


@pytest.fixture
def ours(tower: str, published: Published) -> FlamingoCaptioner:
    language = LanguageConfig(path=str(published("opt")))
    return FlamingoCaptioner.create(Architecture(canvas=32, vision=VisionConfig(name=tower), language=language), [], seed=0)


def write(weights: dict[str, torch.Tensor], place: Path) -> Path:
    """By the documented command, from a pickled checkpoint."""
    torch.save(weights, place / "checkpoint.pt")
    kept = torch.load(place / "checkpoint.pt", map_location="cpu", weights_only=True)
    save_file({name: weight.clone() for name, weight in kept.items()}, place / "w.safetensors")
    return place / "w.safetensors"


def test_the_network_becomes_the_published_one(
    theirs: Any, weights: dict[str, torch.Tensor], ours: FlamingoCaptioner, tmp_path: Path
) -> None:
    network = ours.network
    network.vision_encoder.load_state_dict(theirs.vision_encoder.state_dict())  # CLIP's are in no checkpoint
    text = ours.tokenizer("<image>a red circle", return_tensors="pt")
    pixels = torch.rand(1, 3, 32, 32) * 255
    normal = (pixels / 255 - network.pixel_mean) / network.pixel_std

    def logits() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            own = network.eval().logits(network.visual_tokens(pixels), text["input_ids"], text["attention_mask"])
            return own, theirs(normal[:, None, None], text["input_ids"], text["attention_mask"]).logits

    own, expected = logits()
    assert not torch.allclose(own, expected, atol=1e-2)
    load_published(network, write(weights, tmp_path))
    own, expected = logits()
    torch.testing.assert_close(own, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["perceiver.latents", "lang_encoder.model.decoder.layers.1.gated_cross_attn_layer.attn_gate"])
def test_what_would_stay_untrained_is_named(name: str, weights: dict[str, torch.Tensor], ours: FlamingoCaptioner, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lacks: .*" + name.rpartition(".")[2]):
        load_published(ours.network, write({key: weight for key, weight in weights.items() if key != name}, tmp_path))


def test_weights_of_another_model_are_refused(weights: dict[str, torch.Tensor], ours: FlamingoCaptioner, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds what the network has not: lang_encoder\.transformer\.h"):
        load_published(ours.network, write({**weights, "lang_encoder.transformer.h": torch.zeros(1)}, tmp_path))
    with pytest.raises(ConfigError, match=r"another shape for: perceiver\.latents") as error:
        load_published(ours.network, write({**weights, "perceiver.latents": torch.zeros(2, 64)}, tmp_path))
    assert "architecture" in error.value.hint


@pytest.mark.parametrize("latents", [torch.zeros(64, 64, dtype=torch.int8), torch.full((64, 64), float("nan"))])
def test_what_is_quantised_or_no_number_is_refused(
    latents: torch.Tensor, weights: dict[str, torch.Tensor], ours: FlamingoCaptioner, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"no finite floating-point numbers for: perceiver\.latents"):
        load_published(ours.network, write({**weights, "perceiver.latents": latents}, tmp_path))


def test_a_pickle_is_not_read(weights: dict[str, torch.Tensor], ours: FlamingoCaptioner, tmp_path: Path) -> None:
    write(weights, tmp_path)
    with pytest.raises(ConfigError, match="cannot be read as safetensors") as error:
        load_published(ours.network, tmp_path / "checkpoint.pt")
    assert "converted" in error.value.hint
