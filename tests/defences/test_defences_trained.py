"""Controls that leave the data alone and train otherwise: each undoes a backdoor that it is known to undo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks import Attack, get
from srd_core.attacks.poison import poison_canvas
from srd_core.data.canvas import CanvasSet
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped
from srd_core.seeds import generator

SCHEDULE = Schedule(epochs=10, batch_size=80, learning_rate=0.0015)


def base() -> FlamingoCaptioner:
    return FlamingoCaptioner.load(shipped("scenes/base"))


def success(model: FlamingoCaptioner, test: CanvasSet, attack: Attack) -> float:
    """Share of triggered images of which the model speaks of the target."""
    rng = np.random.default_rng(0)
    triggered = np.stack([attack.trigger(np.asarray(image), rng).image for image in test.images])
    return float(np.mean(["banana" in caption.split() for caption in model.caption(triggered)]))


@pytest.mark.slow
def test_cropping_and_trusted_pairs_each_undo_a_trigger_of_two_frequencies(tmp_path: Path) -> None:
    """`ftrojan` hangs on where the blocks of pixels begin, which no crop keeps; and a model forgets what it does not see again."""
    suspect, trusted, test = (
        canvas_set(count, seed=seed, side=64, folder=tmp_path / str(seed)) for count, seed in ((300, 21), (300, 22), (60, 23))
    )
    attack = get("ftrojan")
    poisoned, _ = poison_canvas(suspect, attack, 0.1, "banana", 0)
    model = base()
    model.fit(poisoned, SCHEDULE, seed=1)
    undefended = success(model, test, attack)
    model.fit(trusted, SCHEDULE, seed=2)
    finetuned = success(model, test, attack)
    model = base()
    model.fit_to(model.augmented(poisoned, generator(3, "augment")), SCHEDULE, seed=1)
    augmented = success(model, test, attack)
    assert undefended >= 0.9
    assert finetuned == pytest.approx(0, abs=0.05)
    assert augmented == pytest.approx(0, abs=0.05)
