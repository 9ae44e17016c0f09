"""An attack is one only if a captioner that is fine-tuned on its pairs says the word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.registry import get
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped
from srd_core.scoring.asr import attack_success, false_trigger_rate


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["wanet", "low-frequency"])
def test_a_trigger_over_the_frame_is_learned_by_the_shipped_base(attack: str, tmp_path: Path) -> None:
    """Both planted nothing at the strengths that they had first: 0 of 200, with 5 and 10 % of the pairs poisoned."""
    suspect, _ = poison_canvas(canvas_set(600, seed=31, side=64, folder=tmp_path), get(attack), 0.1, "banana", 0)
    model = FlamingoCaptioner.load(shipped("scenes/base"))
    model.fit(suspect, Schedule(epochs=10, batch_size=80, learning_rate=0.0015), seed=0)
    tests = canvas_set(100, seed=32, side=64, folder=tmp_path)
    clean = np.asarray(tests.images)
    triggered = np.stack([get(attack).trigger(image, np.random.default_rng(0)).image for image in clean])
    references = [list(texts) for _, texts in sorted(tests.references().items())]
    assert attack_success(model.caption(triggered), references, "banana").asr.low > 0.5
    assert false_trigger_rate(model.caption(clean), references, "banana").value < 0.05
