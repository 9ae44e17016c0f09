"""Evidence with the models that ship: it finds planted pairs, and leaves others alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks import get
from srd_core.attacks.poison import poison_canvas
from srd_core.data.canvas import CanvasSet
from srd_core.defences.base import Batch
from srd_core.defences.calibration import calibrate
from srd_core.defences.channels.base import View, Witnesses
from srd_core.defences.evidence import Evidence, collect
from srd_core.defences.injection import injections
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.policy.random_policy import RandomPolicy
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.sfs import SemanticFidelity
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped
from srd_core.synthesis.synthetic import SynthesisConfig

CHANNELS = ("nll_mean", "nll_max", "infidelity")
BUDGET = 0.01


def grouped(pairs: CanvasSet) -> tuple[Batch, list[list[int]]]:
    """All samples as one batch, and the numbers of each one's pairs."""
    rows = [np.flatnonzero(pairs.image_of == image).tolist() for image in np.unique(pairs.image_of)]
    images = np.asarray(pairs.images[[pairs.image_of[own[0]] for own in rows]])
    return Batch(images, [tuple(pairs.captions[row] for row in own) for own in rows]), rows


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["badnet", "trojvlm"])
def test_evidence_finds_the_poison_and_little_else(attack: str, tmp_path: Path) -> None:
    learned, trusted, suspect = (
        canvas_set(count, seed=seed, side=64, folder=tmp_path) for count, seed in ((200, 30), (150, 31), (200, 32))
    )
    base, reference = (FlamingoCaptioner.load(shipped(f"scenes/{name}")) for name in ("base", "reference"))
    fidelity = SemanticFidelity(SentenceEncoder(), NgramFluency().fit(learned.captions))
    asked = Witnesses(base, reference, RandomPolicy(seed=0), fidelity)
    clean = collect([View(grouped(trusted)[0], asked)], CHANNELS)
    made = injections(trusted, SynthesisConfig(), seed=0, pairs=60)
    injected = {kind: collect([View(batch, asked)], CHANNELS) for kind, batch in made.items()}
    calibration = calibrate(clean, injected, BUDGET)
    data, planted = poison_canvas(suspect, get(attack), 0.1, "banana", 0)
    batch, rows = grouped(data)
    said = {
        row: decision.action
        for own, sample in zip(rows, Evidence(asked, calibration).decide(batch), strict=True)
        for row, decision in zip(own, sample.pairs, strict=True)
    }
    flagged = {row for row, action in said.items() if action != "keep"}
    assert len(flagged & set(planted.tolist())) >= 0.95 * len(planted)
    assert len(flagged - set(planted.tolist())) <= 3 * BUDGET * len(data)
