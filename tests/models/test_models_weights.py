"""Weights that lie on this machine are safetensors or refused, with a way to make some of a pickle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from srd_core.errors import ConfigError
from srd_core.models.architecture import Architecture, LanguageConfig, VisionConfig
from srd_core.models.build import build_network, load_tokenizer
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.weights import check_vision

Published = Callable[[str], Path]
EYE = VisionConfig(kind="convolutions", patch=8, width=16, layers=1)


@pytest.fixture(autouse=True)
def unpickled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What `torch.load` was asked for: the tests' own requests alone."""
    asked: list[object] = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda file, **how: asked.append(file) or load(file, **how))
    return asked


@pytest.fixture
def pickled(published: Published, tmp_path: Path) -> Path:
    """A language model as it was published before safetensors."""
    folder = shutil.copytree(published("opt"), tmp_path / "language")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def create(folder: Path) -> FlamingoCaptioner:
    return FlamingoCaptioner.create(Architecture(canvas=32, vision=EYE, language=LanguageConfig(path=str(folder))), [], seed=0)


def test_a_folder_with_a_pickle_alone_is_refused_and_converted_as_told(pickled: Path, unpickled: list[object]) -> None:
    with pytest.raises(ConfigError, match=r"language\.path = .*language has no model\.safetensors") as error:
        create(pickled)
    with pytest.raises(ConfigError, match=r"has no model\.safetensors"):
        load_tokenizer(LanguageConfig(path=str(pickled)))
    assert unpickled == []
    command = error.value.hint.removeprefix("Write them as safetensors, once: ").removesuffix(", where NAME is model.safetensors")
    names = {"FILE": pickled / "pytorch_model.bin", "NAME": pickled / "model.safetensors"}
    exec("import safetensors.torch\n" + command, {"torch": torch, **names})
    unpickled.clear()
    create(pickled)
    assert unpickled == []


def index(folder: Path) -> None:
    names = dict.fromkeys(torch.load(folder / "pytorch_model.bin", weights_only=True), "pytorch_model.bin")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def configured(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / "pytorch_model.bin").rename(folder / "adapter_model.bin")
        (folder / "model.safetensors").touch()
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"transformers_weights": name}))

    return edit


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (index, "names 'pytorch_model.bin' as weights"),
        (configured("adapter_model.bin"), "names 'adapter_model.bin' as weights"),
        (configured("x.safetensors.index.json"), "names 'x.safetensors.index.json' as weights"),
    ],
)
def test_a_folder_cannot_name_a_pickle_as_its_weights(
    pickled: Path, unpickled: list[object], edit: Callable[[Path], None], said: str
) -> None:
    edit(pickled)
    unpickled.clear()
    with pytest.raises(ConfigError, match=said):
        create(pickled)
    assert unpickled == []


def test_a_pickle_beside_safetensors_is_not_read(published: Published, tmp_path: Path, unpickled: list[object]) -> None:
    folder = shutil.copytree(published("opt"), tmp_path / "language")
    (folder / "pytorch_model.bin").write_bytes(b"no weights")
    create(folder)
    assert unpickled == []


def see(name: str, pretrained: Path | None) -> Any:
    vision = VisionConfig(name=name, pretrained=pretrained and str(pretrained))
    return build_network(Architecture(canvas=32, vision=vision), FlamingoCaptioner.create(Architecture(canvas=32), ["a"], seed=0).tokenizer)


def test_a_tower_in_a_pickle_is_refused_and_one_in_safetensors_is_read(tower: str, tmp_path: Path, unpickled: list[object]) -> None:
    import open_clip

    weights = open_clip.create_model(tower).state_dict()
    save_file(weights, tmp_path / "ok.safetensors")
    torch.save(weights, tmp_path / "ok.pt")
    network = see(tower, tmp_path / "ok.safetensors")
    assert torch.equal(network.vision_encoder.conv1.weight, weights["visual.conv1.weight"])
    with pytest.raises(ConfigError, match=r"vision\.pretrained = .*ok\.pt does not end in \.safetensors"):
        see(tower, tmp_path / "ok.pt")
    assert unpickled == []


def test_a_folder_of_a_tower_has_safetensors(tmp_path: Path) -> None:
    check_vision(f"local-dir:{tmp_path}", None)
    (tmp_path / "open_clip_pytorch_model.bin").touch()
    with pytest.raises(ConfigError, match=r"vision\.name = local-dir:.* has no open_clip_model\.safetensors"):
        check_vision(f"local-dir:{tmp_path}", None)
    (tmp_path / "open_clip_model.safetensors").touch()
    check_vision(f"local-dir:{tmp_path}", None)
