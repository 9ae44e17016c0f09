"""Training: what it changes, what it leaves alone, how many steps it takes, and when it refuses."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import pytest
import torch

from srd_core.data.canvas import CanvasSet
from srd_core.errors import SourceError, TrainingError
from srd_core.models.architecture import Architecture
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule

SHORT = Schedule(epochs=3, batch_size=8, learning_rate=3e-3)


class Learned(Protocol):
    model: FlamingoCaptioner
    images: np.ndarray
    captions: list[str]


def changed(model: FlamingoCaptioner, pairs: CanvasSet, trains: Literal["all", "perceiver+xattn"]) -> set[str]:
    before = {name: tensor.clone() for name, tensor in model.network.named_parameters()}
    model.fit(pairs, SHORT.model_copy(update={"trains": trains}), seed=1)
    return {name for name, tensor in model.network.named_parameters() if not torch.equal(tensor, before[name])}


def test_the_papers_parts_learn_and_the_others_do_not(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    names = changed(fresh, one_each, "perceiver+xattn")
    assert any(name.startswith("perceiver") for name in names)
    assert any("gated_cross_attn" in name for name in names)
    assert any("embed_tokens" in name for name in names)
    rest = {name for name in names if not name.startswith("perceiver") and "gated_cross_attn" not in name and "embed_tokens" not in name}
    assert rest == set()


def test_all_means_all(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    names = changed(fresh, one_each, "all")
    everything = {name for name, _ in fresh.network.named_parameters()}
    unused = {name for name in everything - names if "embed_positions" not in name}
    assert any(name.startswith("vision_encoder.blocks") for name in names)
    assert len(unused) <= 0.1 * len(everything)


def test_batch_statistics_of_the_encoder_are_kept(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    before = {name: tensor.clone() for name, tensor in fresh.network.named_buffers() if "running" in name}
    fresh.fit(one_each, SHORT, seed=0)
    assert before
    assert all(torch.equal(dict(fresh.network.named_buffers())[name], tensor) for name, tensor in before.items())


def test_the_same_seed_gives_the_same_weights(tiny: Architecture, scenes: CanvasSet, one_each: CanvasSet) -> None:
    def weights(seed: int) -> torch.Tensor:
        model = FlamingoCaptioner.create(tiny, scenes.captions, seed=0)
        model.fit(one_each, Schedule(epochs=4, batch_size=3, learning_rate=3e-3), seed=seed)
        return torch.cat([p.detach().flatten() for p in model.network.parameters()])

    first = weights(1)
    torch.rand(3)
    assert torch.equal(first, weights(1))
    assert not torch.equal(first, weights(2))


@pytest.mark.parametrize(
    ("pairs", "size", "epochs", "steps"), [(8, 5, 10, 16), (7, 4, 8, 14), (8, 3, 4.5, 12), (3, 8, 8, 8), (8, 8, 0.1, 1)]
)
def test_a_fit_takes_every_step_of_its_schedule(
    fresh: FlamingoCaptioner, one_each: CanvasSet, pairs: int, size: int, epochs: float, steps: int
) -> None:
    """Sets not much larger than a batch used to end early, before the learning rate had come down."""
    few = one_each.take(np.arange(pairs))
    assert fresh.fit(few, Schedule(epochs=epochs, batch_size=size), seed=0).steps == steps


def test_the_loss_falls(learned: Learned) -> None:
    fitted = learned.model.word_loss(learned.images, learned.captions)
    assert np.mean([loss.mean for loss in fitted]) < 0.5


def test_pairs_of_one_image_share_a_look(fresh: FlamingoCaptioner, scenes: CanvasSet, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    look = fresh.network.patch_tokens

    def counted(pixels: torch.Tensor) -> torch.Tensor:
        shown.append(len(pixels))
        return look(pixels)

    monkeypatch.setattr(fresh.network, "patch_tokens", counted)
    fresh.fit(scenes, Schedule(epochs=1, batch_size=10), seed=0)
    assert len(scenes) == 40
    assert shown == [2, 2, 2, 2]


def test_a_training_that_blows_up_is_an_error(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    wild = Schedule(epochs=4, batch_size=8, learning_rate=1e30, weight_decay=0.0, precision="float32")
    with pytest.raises(TrainingError, match="did not succeed"):
        fresh.fit(one_each, wild, seed=0)


def test_no_pair_is_an_error(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    with pytest.raises(SourceError, match="no pair"):
        fresh.fit(one_each.take([]), SHORT, seed=0)


def test_full_precision_learns_as_well(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    report = fresh.fit(one_each, Schedule(epochs=40, batch_size=8, learning_rate=5e-3, precision="float32"), seed=0)
    assert report.last_loss < 0.7 * report.first_loss
