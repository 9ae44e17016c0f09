"""Networks from sizes and from published parts: the same code, so the same behaviour."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from srd_core.data.canvas import CanvasSet
from srd_core.errors import ConfigError, TrainingError
from srd_core.hub import loading
from srd_core.models.architecture import Architecture, CrossAttentionConfig, LanguageConfig, ResamplerConfig, VisionConfig
from srd_core.models.build import REMOTE_CODE, load_tokenizer
from srd_core.models.flamingo import SETTINGS, FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.models.vision import ConvolutionalEncoder

Published = Callable[[str], Path]
SMALL_EYE = VisionConfig(patch=8, width=32, layers=1, heads=2)
BRIEF = Schedule(epochs=3, batch_size=8)


class Learned(Protocol):
    images: np.ndarray
    captions: list[str]


@pytest.mark.parametrize("kind", ["opt", "neox", "llama"])
def test_a_published_language_model_is_trained_saved_and_loaded(
    kind: str, published: Published, learned: Learned, one_each: CanvasSet, tmp_path: Path
) -> None:
    """GPT-NeoX's tokenizer has no padding: a token that loading once added twice."""
    architecture = Architecture(canvas=32, max_tokens=6, vision=SMALL_EYE, language=LanguageConfig(path=str(published(kind))))
    model = FlamingoCaptioner.create(architecture, [], seed=0)
    report = model.fit(one_each, BRIEF, seed=0)
    assert report.last_loss < report.first_loss
    model.save(tmp_path)
    again = FlamingoCaptioner.load(tmp_path)
    assert again.caption(learned.images) == model.caption(learned.images)
    before, after = (m.word_loss(learned.images, learned.captions) for m in (model, again))
    np.testing.assert_array_equal(np.concatenate([w.nll for w in before]), np.concatenate([w.nll for w in after]))


@pytest.mark.parametrize("kind", ["opt", "neox", "llama"])
def test_words_are_words_with_every_kind_of_tokenizer(kind: str, published: Published, learned: Learned) -> None:
    """LLaMA's decoder drops the space at the start of a text, which once made one word of a whole caption."""
    architecture = Architecture(canvas=32, vision=SMALL_EYE, language=LanguageConfig(path=str(published(kind))))
    losses = FlamingoCaptioner.create(architecture, [], seed=0).word_loss(learned.images, learned.captions)
    assert [loss.words for loss in losses] == [tuple(text.split()) for text in learned.captions]


def test_a_published_tower_with_the_librarys_own_sizes(tower: str, published: Published, learned: Learned, one_each: CanvasSet) -> None:
    language = LanguageConfig(path=str(published("opt")))
    architecture = Architecture(canvas=32, max_tokens=4, beams=3, vision=VisionConfig(name=tower), language=language)
    model = FlamingoCaptioner.create(architecture, [], seed=0)
    assert model.network.perceiver.latents.shape == (64, 64)
    assert len(model.network.perceiver.layers) == 6
    before = [p.clone() for p in model.network.vision_encoder.parameters()]
    assert model.fit(one_each, BRIEF.model_copy(update={"trains": "perceiver+xattn"}), seed=0).steps == 3
    assert all(torch.equal(a, b) for a, b in zip(before, model.network.vision_encoder.parameters(), strict=True))
    assert len(model.caption(learned.images)) == 8


def test_gates_that_are_shut_leave_the_language_model_as_it_was_published(published: Published, learned: Learned) -> None:
    architecture = Architecture(canvas=32, vision=SMALL_EYE, language=LanguageConfig(path=str(published("opt"))))
    model = FlamingoCaptioner.create(architecture, [], seed=0)
    own, other = (model.word_loss(images, learned.captions) for images in (learned.images, learned.images[::-1]))
    np.testing.assert_array_equal(np.concatenate([w.nll for w in own]), np.concatenate([w.nll for w in other]))


def test_open_gates_let_the_image_speak(learned: Learned) -> None:
    cross = CrossAttentionConfig(heads=2, head_width=16, gate=0.5)
    architecture = Architecture(canvas=32, vision=SMALL_EYE, cross_attention=cross, resampler=ResamplerConfig(depth=1, latents=4))
    model = FlamingoCaptioner.create(architecture, learned.captions, seed=0)
    own, other = (model.word_loss(images, learned.captions) for images in (learned.images, learned.images[::-1]))
    assert any((a.nll != b.nll).any() for a, b in zip(own, other, strict=True))


@pytest.mark.parametrize("every", [1, 2])
def test_cross_attention_stands_before_every_nth_layer(every: int, learned: Learned) -> None:
    language = LanguageConfig(width=32, layers=4, heads=2)
    architecture = Architecture(canvas=32, vision=SMALL_EYE, language=language, cross_attention=CrossAttentionConfig(every=every))
    layers = FlamingoCaptioner.create(architecture, learned.captions, seed=0).network.lang_encoder.gated_cross_attn_layers
    assert [layer is not None for layer in layers] == [(number + 1) % every == 0 for number in range(4)]


def test_a_tower_at_another_size_is_refused(tower: str, learned: Learned) -> None:
    with pytest.raises(ConfigError, match="sees 32 px, the canvas has 64") as error:
        FlamingoCaptioner.create(Architecture(canvas=64, vision=VisionConfig(name=tower)), learned.captions, seed=0)
    assert "canvas to 32" in error.value.hint


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tokenizer.json", None, "tokenizer of '.*' .language.path. could not be loaded: "),
        ("tokenizer.json", b"{}", "tokenizer of '.*' .language.path. could not be loaded: KeyError: 'added_tokens'"),
        ("tokenizer_config.json", b'{"model_max_length": "x"}', "tokenizer of '.*' .language.path. could not be loaded: "),
        ("config.json", b"{", "could not be loaded: "),
        ("config.json", b"[]", "could not be loaded: "),
        ("generation_config.json", b"[]", "language model '.*' .language.path. could not be loaded: "),
        ("model.safetensors", None, "language model '.*' .language.path. could not be loaded: "),
        ("model.safetensors", b"\x10", "language model '.*' .language.path. could not be loaded: "),
    ],
)
def test_a_language_model_that_cannot_be_loaded_is_named(
    published: Published, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    """Regression: what transformers raised was told as an internal error."""
    folder = shutil.copytree(published("opt"), tmp_path / "language")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    language = LanguageConfig(path=str(folder))
    with pytest.raises(ConfigError, match=said) as error:
        FlamingoCaptioner.create(Architecture(canvas=32, vision=SMALL_EYE, language=language), [], seed=0)
    assert "whole path" in error.value.hint and "\n" not in error.value.message


def test_a_tokenizer_of_a_later_library_is_named(published: Published, tmp_path: Path) -> None:
    """Regression: tokenizers raises plain `Exception`, which was told as an internal error."""
    file = shutil.copytree(published("opt"), tmp_path / "language") / "tokenizer.json"
    written = json.loads(file.read_text())
    written["model"]["type"] = "Later"
    file.write_text(json.dumps(written))
    with pytest.raises(ConfigError, match=r"tokenizer of '.*' .language\.path. could not be loaded: data did not match any variant"):
        load_tokenizer(LanguageConfig(path=str(file.parent)))


def test_a_language_model_of_a_kind_that_flamingo_does_not_know_is_named(published: Published, tmp_path: Path) -> None:
    folder = shutil.copytree(published("opt"), tmp_path / "language")
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_type": "gpt2"}))
    with pytest.raises(ConfigError, match="a GPT2LMHeadModel, between whose layers") as error:
        FlamingoCaptioner.create(Architecture(canvas=32, vision=SMALL_EYE, language=LanguageConfig(path=str(folder))), [], seed=0)
    assert "OPT" in error.value.hint


def test_what_is_no_fault_of_a_model_passes_as_it_is() -> None:
    for kind in (MemoryError, KeyboardInterrupt, TrainingError):
        with pytest.raises(kind), loading("x", "y"):
            raise kind("z")


@pytest.mark.parametrize("name", ["local-dir:/nowhere", "local-dir:"])
def test_a_tower_whose_shape_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"vision\.name = {name} could not be loaded"):
        FlamingoCaptioner.create(Architecture(canvas=32, vision=VisionConfig(name=name)), [], seed=0)


def test_a_tower_whose_weights_are_not_there_is_named(tower: str, tmp_path: Path) -> None:
    for pretrained in ("laion_nothing", str(tmp_path / "gone.safetensors")):
        with pytest.raises(ConfigError, match=rf"vision\.pretrained = {pretrained} of {tower} could not be loaded"):
            FlamingoCaptioner.create(Architecture(canvas=32, vision=VisionConfig(name=tower, pretrained=pretrained)), [], seed=0)


@pytest.mark.parametrize("name", ["ViT-nowhere", "RN50"])
def test_a_tower_that_gives_no_tokens_is_refused(name: str, learned: Learned) -> None:
    with pytest.raises(ConfigError, match=name):
        FlamingoCaptioner.create(Architecture(canvas=224, vision=VisionConfig(name=name)), learned.captions, seed=0)


@pytest.mark.parametrize("allowed", ["", "{path}", "{path}@", "{path}@2", "other@1"])
def test_code_from_a_repository_needs_a_commit_and_leave(published: Published, allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(published("opt"))
    monkeypatch.setenv(REMOTE_CODE, allowed.format(path=path))
    for revision in (None, "", "1"):
        language = LanguageConfig(path=path, revision=revision, trust_remote_code=True)
        with pytest.raises(ConfigError, match="trust_remote_code"):
            FlamingoCaptioner.create(Architecture(canvas=32, vision=SMALL_EYE, language=language), [], seed=0)


TRAP = """
import pathlib
from transformers import PreTrainedTokenizerFast
pathlib.Path({record!r}).write_text("code ran")
class Trap(PreTrainedTokenizerFast): "Of its own: transformers marks the class that it loads so, for as long as the process lives."
"""


def with_code(published: Published, tmp_path: Path) -> Path:
    """A copy of a published model that brings a tokenizer of its own; it notes when it runs."""
    folder = shutil.copytree(published("opt"), tmp_path / "language")
    (folder / "trap.py").write_text(TRAP.format(record=str(tmp_path / "record")))
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_map": {"AutoTokenizer": [None, "trap.Trap"]}}))
    return folder


def test_code_runs_where_the_environment_allows_it(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = with_code(published, tmp_path)
    monkeypatch.setenv(REMOTE_CODE, f"x@y,{folder}@1")
    load_tokenizer(LanguageConfig(path=str(folder), revision="1", trust_remote_code=True))
    assert (tmp_path / "record").exists()


def test_a_saved_model_cannot_have_its_own_code_run(published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings are in its folder, and said whose code is trusted."""
    folder = with_code(published, tmp_path)
    language = LanguageConfig(path=str(published("opt")))
    FlamingoCaptioner.create(Architecture(canvas=32, vision=SMALL_EYE, language=language), [], seed=0).save(tmp_path / "model")
    file = tmp_path / "model" / SETTINGS
    settings = json.loads(file.read_text())
    settings["language"] |= {"path": str(folder), "revision": "1", "trust_remote_code": True}
    file.write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match="SRD_REMOTE_CODE"):
        FlamingoCaptioner.load(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(REMOTE_CODE, "language@1")
    with pytest.raises(ConfigError, match="there is something called"):
        load_tokenizer(LanguageConfig(path="language", revision="1", trust_remote_code=True))
    assert not (tmp_path / "record").exists()


def test_a_canvas_that_is_no_whole_number_of_patches_is_refused(learned: Learned) -> None:
    with pytest.raises(ConfigError, match="whole number"):
        FlamingoCaptioner.create(Architecture(canvas=34, vision=SMALL_EYE), learned.captions, seed=0)


def test_unknown_sizes_are_refused() -> None:
    with pytest.raises(ValidationError, match="depht"):
        ResamplerConfig.model_validate({"depht": 2})


@pytest.mark.parametrize("patch", [2, 6, 8, 9, 12])
def test_convolutions_give_one_token_a_cell(patch: int) -> None:
    encoder = ConvolutionalEncoder(72, patch, width=40, layers=2).eval()
    pooled, tokens = encoder(torch.rand(3, 3, 72, 72))
    assert tokens.shape == (3, (72 // patch) ** 2, 40)
    torch.testing.assert_close(pooled, tokens.mean(dim=1))


def test_a_cell_sees_its_own_place() -> None:
    encoder = ConvolutionalEncoder(64, 8, width=32, layers=1).eval()
    image = torch.rand(1, 3, 64, 64)
    other = image.clone()
    other[:, :, :8, :8] = 1 - other[:, :, :8, :8]
    with torch.inference_mode():
        moved = (encoder(image)[1] - encoder(other)[1]).abs().sum(dim=-1).view(8, 8)
    assert moved[0, 0] > 0
    assert moved[5:, 5:].max() == 0


@pytest.mark.parametrize("patch", [1, 10, 14])
def test_convolutions_refuse_other_factors(patch: int) -> None:
    with pytest.raises(ConfigError, match="2s and 3s"):
        ConvolutionalEncoder(patch * 4, patch, width=32, layers=1)


def test_torchvision_can_be_imported_beside_this_torch() -> None:
    code = "from srd_core.models.torchvision_shim import declare_operators as d; d(); d(); import torchvision.transforms as t; t.Resize"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
