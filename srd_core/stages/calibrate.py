"""Evidence mode's operating point, fixed on the trusted hold-out: pairs that neither base nor reference was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.defences.base import Batch
from srd_core.defences.calibration import SURPRISE, Calibration, calibrate
from srd_core.defences.channels.base import Scores, View, Witnesses
from srd_core.defences.evidence import collect
from srd_core.defences.injection import injections
from srd_core.policy.learned import LearnedPolicy
from srd_core.progress import track
from srd_core.scoring.distance import independent, together
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner
from srd_core.stages.files import local_folder, trusted_pairs
from srd_core.stages.local_models import reward_models
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.trusted import fidelity

_FILE = "calibration.json"
_BATCH = 128
_INJECTED = 300


def witnesses(run: Run, inputs: Inputs, folder: Path) -> Witnesses:
    """The models of the trusted side, from the inputs base, reference, fluency and, where one was learned, policy."""
    policy = LearnedPolicy.load(local_folder(inputs["policy"], folder / "learned", "policy")) if "policy" in inputs else None
    return Witnesses(captioner(inputs["base"], folder), captioner(inputs["reference"], folder), policy, fidelity(run, inputs, folder))


def load_calibration(inputs: Inputs, folder: Path) -> Calibration:
    """What this stage left."""
    return Calibration.model_validate_json((local_folder(inputs["calibration"], folder / "calibration") / _FILE).read_text())


def _calibrate(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config.evidence
    clean = trusted_pairs(run, inputs["trusted"], folder, "holdout")
    asked = witnesses(run, inputs, folder)
    scores = collect([View(batch, asked) for batch in track(_batches(clean), "score trusted pairs")], config.channels)
    made = injections(clean, run.config.synthesis, seed=derive(run.config.seed, "injections"), pairs=_INJECTED)
    injected = {kind: collect([View(batch, asked)], config.channels) for kind, batch in track(made.items(), "score injected pairs")}
    result = calibrate(scores, injected, config.false_positives).model_copy(update=_dependence(scores, clean))
    (folder / _FILE).write_text(json.dumps(result.model_dump(), sort_keys=True, indent=1))
    return Outcome({_FILE: folder / _FILE}, result.model_dump(mode="json", exclude={"clean"}))


def _dependence(scores: Mapping[str, Scores], clean: CanvasSet) -> dict[str, float]:
    """How much base's surprise at captions of one image goes together, and how many independent captions these are worth."""
    if SURPRISE not in scores:
        return {}
    sizes = [len(captions) for _, captions in _grouped(clean)]
    alike = together(scores[SURPRISE], sizes)
    return {"together": alike, "independent": independent(sizes, alike)}


def _grouped(pairs: CanvasSet) -> list[tuple[int, list[str]]]:
    return sorted(pairs.references().items())


def _batches(pairs: CanvasSet) -> list[Batch]:
    grouped = _grouped(pairs)
    parts = [grouped[start : start + _BATCH] for start in range(0, len(grouped), _BATCH)]
    return [Batch(np.asarray(pairs.images[[image for image, _ in part]]), [tuple(captions) for _, captions in part]) for part in parts]


CALIBRATE = Stage("calibrate", _calibrate, ("canvas", "holdout", "limits", "evidence", "reward", "synthesis", "seed"), named=reward_models)
