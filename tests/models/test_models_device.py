"""Models on another device than their inputs. PyTorch's `meta` device has shapes and no data, and refuses to mix with tensors elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from srd_core.data.canvas import CanvasSet
from srd_core.models.flamingo import FlamingoCaptioner, pixels
from srd_core.models.objectives.captioning import Objective
from srd_core.models.objectives.semantic_preservation import SemanticPreservation
from srd_core.models.objectives.unlearning import Unlearning
from srd_core.models.sight import _loss as loss_of_sight
from srd_core.models.sight import _voters
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped

Made = Callable[[FlamingoCaptioner, CanvasSet], Objective]
OBJECTIVES: dict[str, Made] = {
    "captions": lambda model, pairs: model.objective(pairs),
    "augmented": lambda model, pairs: model.augmented(pairs, np.random.default_rng(0)),
    "unlearning": lambda model, pairs: Unlearning(model.objective(pairs), model.objective(pairs), 1.0, np.random.default_rng(0)),
    "semantic preservation": lambda model, pairs: SemanticPreservation(model.objective(pairs), np.arange(len(pairs)) % 2 == 0),
}


@pytest.fixture
def pairs(tmp_path: Path) -> CanvasSet:
    return canvas_set(4, seed=1, side=64, folder=tmp_path)


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """It knows no `meta`."""
    monkeypatch.setattr("srd_core.models.sight.autocast", lambda on: nullcontext())


@pytest.fixture
def elsewhere() -> FlamingoCaptioner:
    model = FlamingoCaptioner.load(shipped("scenes/base"))
    model.network.to("meta")
    return model


def test_tensors_of_two_devices_are_refused() -> None:
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(2, 2) + torch.zeros(2, 2, device="meta")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_training_step_happens_where_the_network_is(name: str, elsewhere: FlamingoCaptioner, pairs: CanvasSet) -> None:
    elsewhere.network.set_trainable("all")
    loss = OBJECTIVES[name](elsewhere, pairs).loss(np.arange(len(pairs)))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.device.type == "meta"
    assert {p.grad.device.type for p in elsewhere.network.parameters() if p.grad is not None} == {"meta"}


@pytest.mark.parametrize("through", ["patches", "latents"])
def test_learning_to_see_happens_where_the_network_is(through: str, elsewhere: FlamingoCaptioner, pairs: CanvasSet) -> None:
    wanted = torch.zeros(len(pairs.images), 7)
    votes = [vote.to("meta") for vote in _voters(elsewhere.network.vis_dim, wanted, through)]  # type: ignore[arg-type]
    assert loss_of_sight(elsewhere.network, votes, pixels(pairs.images), wanted.to("meta")).device.type == "meta"
