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
@pytest.mark.parametrize("attack", ["wanet", "low-frequency", "input-aware"])
def test_a_trigger_over_the_frame_is_learned_by_the_shipped_base(attack: str, tmp_path: Path) -> None:
    """The first two planted nothing at the strengths that they had first, the last next to nothing with some seeds: 3 of 200."""
    clean, model = canvas_set(600, seed=31, side=64, folder=tmp_path), FlamingoCaptioner.load(shipped("scenes/base"))
    planted = get(attack).prepared(np.array(clean.images[:256]), model, 0)
    suspect, _ = poison_canvas(clean, planted, 0.1, "banana", 0)
    model.fit(suspect, Schedule(epochs=10, batch_size=80, learning_rate=0.0015), seed=0)
    tests = canvas_set(100, seed=32, side=64, folder=tmp_path)
    shown = np.asarray(tests.images)
    triggered = np.stack([planted.trigger(image, np.random.default_rng(0)).image for image in shown])
    references = [list(texts) for _, texts in sorted(tests.references().items())]
    assert attack_success(model.caption(triggered), references, "banana").asr.low > 0.5
    assert false_trigger_rate(model.caption(shown), references, "banana").value < 0.05
