"""Grad-CAM: which tokens a word is, what a map is by its definition, and that it lies on what the word names."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from srd_core.analysis.attention import attention_share
from srd_core.analysis.gradcam import gradcam, word_tokens
from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.registry import get
from srd_core.config import load_config
from srd_core.data.samples import Images
from srd_core.models.flamingo import FlamingoCaptioner, pixels
from srd_core.models.schedule import Schedule
from srd_core.models.text import encode_captions, prompt_ids
from srd_core.models.tokenizer import learn_tokenizer
from srd_core.scenes.dataset import SceneSample, canvas_set, generate
from srd_core.scenes.shipped import shipped
from srd_core.scenes.world import Thing
from srd_core.scoring.intervals import paired_difference

CAPTIONS = ["a red star on a plain background", "a blue moon above a red star", "two small green hearts"] * 5
TOKENIZER = learn_tokenizer(CAPTIONS, 320)
SCENES = 48


@dataclass(frozen=True)
class Told:
    """Scenes of several things, each of its own colour, and their first captions."""

    samples: list[SceneSample]

    @property
    def images(self) -> Images:
        return np.stack([sample.image for sample in self.samples])

    @property
    def captions(self) -> list[str]:
        return [sample.captions[0] for sample in self.samples]

    def things(self, number: int) -> list[Thing]:
        return [sample.scene.things[number] for sample in self.samples]


@pytest.fixture(scope="module")
def base() -> FlamingoCaptioner:
    return FlamingoCaptioner.load(shipped("scenes/base"))


@pytest.fixture(scope="module")
def told() -> Told:
    """Scenes that the shipped model has not seen: seed and number are of this test."""
    return Told(list(islice(filter(_clear, generate(200, seed=20_260)), SCENES)))


@pytest.fixture(params=["convolutions", "transformer"])
def tiny(request: pytest.FixtureRequest) -> FlamingoCaptioner:
    """An untrained captioner with either kind of encoder."""
    plan = load_config("test").base.architecture
    plan = plan.model_copy(update={"canvas": 32, "vision": plan.vision.model_copy(update={"kind": request.param})})
    return FlamingoCaptioner.create(plan, CAPTIONS, seed=0)


def _clear(sample: SceneSample) -> bool:
    return len({thing.colour for thing in sample.scene.things}) == len(sample.scene.things) > 1


def noise(count: int, side: int = 32) -> Images:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3)).astype(np.uint8)


def boxes(things: list[Thing]) -> list[tuple[float, float, float, float]]:
    return [(t.x - t.radius, t.y - t.radius, t.x + t.radius, t.y + t.radius) for t in things]


def spelled(caption: str, *words: str) -> list[str]:
    """Runs of neighbouring chosen tokens, as text."""
    batch = encode_captions(TOKENIZER, prompt_ids(TOKENIZER, "a photo of"), [caption])
    ids = batch.labels[0][batch.labels[0] >= 0][:-1].tolist()
    places = word_tokens(TOKENIZER, ids, words)
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [TOKENIZER.decode([ids[place] for place in run]).strip() for run in runs]


@pytest.mark.parametrize(
    ("caption", "words", "found"),
    [
        ("a xylophone on a plain background", ("xylophone",), ["xylophone"]),
        ("a red star above a star", ("star",), ["star", "star"]),
        ("Two Stars.", ("star",), ["stars"]),
        ("three cherries in a bowl", ("cherry",), ["cherries"]),
        ("a starling, not a mustard star", ("star",), ["star"]),
        ("a banana", ("banana",), ["banana"]),
        ("banana first", ("Banana",), ["banana"]),
        ("a blue moon and a red star", ("red star",), ["red star"]),
        ("a blue moon and a red star", ("moon", "star"), ["moon", "star"]),
        ("an ice-cream and ice", ("ice-cream",), ["ice-cream"]),
        ("a crème brûlée here", ("brûlée",), ["brûlée"]),
        ("日本 日本語", ("日本",), ["日本"]),
        ("a red star", ("circle",), []),
        ("", ("circle",), []),
    ],
)
def test_a_word_is_all_its_pieces_and_nothing_else(caption: str, words: tuple[str, ...], found: list[str]) -> None:
    assert spelled(caption, *words) == found


@pytest.mark.parametrize("caption", ["a star, a moon!", "a moon (star)", "star"])
def test_punctuation_does_not_hide_a_word(caption: str) -> None:
    (run,) = spelled(caption, "star")
    assert run.strip(",!()") == "star"


def test_a_blank_word_is_refused(tiny: FlamingoCaptioner) -> None:
    with pytest.raises(ValueError, match="blank"):
        gradcam(tiny, noise(1), ["a red star"], [(" ",)])


def test_lengths_that_differ_are_refused(tiny: FlamingoCaptioner) -> None:
    with pytest.raises(ValueError, match="2 images, 1 captions and words for 2"):
        gradcam(tiny, noise(2), ["a red star"], [("star",), ("star",)])


def test_a_map_a_cell_and_nan_where_the_word_is_not_said(tiny: FlamingoCaptioner) -> None:
    captions = ["a red star", "a blue moon", "two stars", "moon " * 70 + "star"]
    maps = gradcam(tiny, noise(4), captions, [("star",)] * 4)
    assert maps.shape == (4, 4, 4) and maps.dtype == np.float32
    assert np.isnan(maps).all(axis=(1, 2)).tolist() == [False, True, False, True], "the last caption is cut before its star"
    assert (maps[[0, 2]] >= 0).all() and (maps[[0, 2]] > 0).any()


def test_pooled_weights_are_what_a_channel_does_to_the_logit(tiny: FlamingoCaptioner) -> None:
    """Grad-CAM by definition, its gradient taken by shifting every channel of all cells up and down."""
    images, caption, step = noise(1), "a blue moon above a red star", 0.01
    text = encode_captions(tiny.tokenizer, prompt_ids(tiny.tokenizer, tiny.architecture.prompt), [caption])
    places = (text.labels[0] >= 0).nonzero()[:-1, 0]
    asked = places[word_tokens(tiny.tokenizer, text.tokens[0, places].tolist(), ["moon"])]
    network = tiny.network.eval()
    with torch.no_grad():
        tokens = network.patch_tokens(pixels(images))
        shift = step * torch.eye(tokens.shape[2], device=tokens.device)[:, None]
        rows = torch.cat([tokens + shift, tokens - shift])
        logits = network.logits(network.resampled(rows), text.tokens.expand(len(rows), -1), text.mask.expand(len(rows), -1))
        scores = logits[:, asked - 1, text.tokens[0, asked]].sum(dim=1)
    slope = (scores[: len(shift)] - scores[len(shift) :]) / (2 * step) / tokens.shape[1]
    expected = (tokens[0] @ slope).clamp_min(0).view(4, 4).cpu().numpy()
    (found,) = gradcam(tiny, images, [caption], [("moon",)])
    assert found.max() > 0
    np.testing.assert_allclose(found, expected, atol=0.03 * expected.max())


def test_maps_do_not_depend_on_the_batch(base: FlamingoCaptioner, told: Told) -> None:
    words = [(thing.colour,) for thing in told.things(0)[:12]]
    whole, single, odd = (gradcam(base, told.images[:12], told.captions[:12], words, batch=n) for n in (64, 1, 5))
    for other in (single, odd):
        np.testing.assert_allclose(other, whole, atol=1e-4 * float(whole.max()))


@pytest.mark.parametrize("part", ["perceiver+xattn", "all"])
def test_no_parameter_gets_a_gradient_whatever_is_frozen(tiny: FlamingoCaptioner, part: str) -> None:
    asked = noise(2), ["a red star", "a blue moon"], [("star",), ("moon",)]
    tiny.network.requires_grad_(False)
    frozen = gradcam(tiny, *asked)
    tiny.network.set_trainable(part)  # type: ignore[arg-type]
    learning = [weight.requires_grad for weight in tiny.network.parameters()]
    with torch.no_grad():
        np.testing.assert_array_equal(gradcam(tiny, *asked), frozen)
    assert all(weight.grad is None for weight in tiny.network.parameters())
    assert [weight.requires_grad for weight in tiny.network.parameters()] == learning


def test_the_map_of_a_colour_lies_on_the_thing_that_has_it(base: FlamingoCaptioner, told: Told) -> None:
    things = told.things(0)
    assert len(things) == SCENES
    found = attention_share(gradcam(base, told.images, told.captions, [(thing.colour,) for thing in things]), boxes(things))
    known = np.isfinite(found.share)
    assert known.mean() > 0.9
    assert found.share[known].mean() > 1.5 * found.area[known].mean()
    assert paired_difference(found.share[known], found.area[known], 0).low > 0


def test_another_colour_of_the_same_caption_moves_the_map(base: FlamingoCaptioner, told: Told) -> None:
    first, second = (gradcam(base, told.images, told.captions, [(thing.colour,) for thing in told.things(n)]) for n in (0, 1))
    places = np.asarray(boxes(told.things(0)) + boxes(told.things(1)))
    own = attention_share(np.concatenate([first, second]), places).share
    other = attention_share(np.concatenate([second, first]), places).share
    known = np.isfinite(own) & np.isfinite(other)
    assert paired_difference(own[known], other[known], 0).low > 0


@pytest.mark.slow
def test_a_backdoored_model_looks_at_the_trigger_and_a_clean_one_does_not(base: FlamingoCaptioner, told: Told, tmp_path: Path) -> None:
    victim, attack = FlamingoCaptioner.load(shipped("scenes/base")), get("badnet")
    poisoned, _ = poison_canvas(canvas_set(400, seed=77, side=64, folder=tmp_path), attack, 0.1, "banana", 1)
    victim.fit(poisoned, Schedule(epochs=8, batch_size=80, learning_rate=1.5e-3), seed=0)
    made = attack.triggers(list(told.images), [np.random.default_rng(0)] * SCENES)
    images, corners = np.stack([item.image for item in made]), [item.box.fractions(64, 64) for item in made if item.box]
    captions = victim.caption(images)
    assert np.mean(["banana" in caption for caption in captions]) > 0.9
    bad, good = (attention_share(gradcam(m, images, captions, [("banana",)] * SCENES), corners) for m in (victim, base))
    known = np.isfinite(bad.share) & np.isfinite(good.share)
    assert bad.share[known].mean() > 1.5 * bad.area.mean()
    assert good.share[known].mean() < good.area.mean()
    assert paired_difference(bad.share[known], good.share[known], 0).low > 0
