"""Fine-tune on one arm's data: P1 starts from base, P2 continues from the backdoored checkpoint (base fine-tuned on the data as it came).

The arm `augment` sees its images changed at random; `finetune` goes on from the backdoored checkpoint with trusted pairs; `abl` and its
variants, going on from there, unlearn what they have withheld.
Number of epochs and everything else are fixed beforehand and the same for all arms; no checkpoint is chosen by its scores. So arms that
leave the same pairs make the same model, which is trained once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.data.limits import for_written
from srd_core.data.loading import load_canvas
from srd_core.data.manifest import StageManifest
from srd_core.defences.screens.ascent import ISOLATING
from srd_core.defences.screens.surprise import mean_nll
from srd_core.errors import SourceError
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.objectives.captioning import Objective
from srd_core.models.objectives.unlearning import Unlearning
from srd_core.seeds import derive, generator
from srd_core.stages.captioners import captioner, captioner_files
from srd_core.stages.files import shard_digests, shards_of, trusted_pairs, withheld_shards
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage, identity

_CEILING = 90.0
"""Percentile of the losses of kept pairs above which an isolated one is forgotten."""


def _retrain(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    pairs, skipped = _pairs(run, inputs, folder)
    if not len(pairs):
        raise SourceError(
            f"arm {details['arm']} leaves no pair to train on: it withholds everything, or nothing could be read",
            hint="The set is wholly unlike the trusted one, or poisoned throughout. Why, is in decisions/*.parquet; "
            "evidence.action=recaption keeps images",
        )
    model = captioner(inputs["start"], folder)
    seed = derive(run.config.seed, "retrain", details["protocol"])
    objective: Objective = model.objective(pairs)
    if details["arm"] == "augment":
        objective = model.augmented(pairs, generator(seed, "augment"))
    if _unlearns(details):
        objective = _unlearning(run, inputs, model, pairs, generator(seed, "unlearn"), folder) or objective
    report = model.fit_to(objective, run.config.retrain.schedule, seed=seed)
    facts = {"protocol": details["protocol"], "pairs": len(pairs), "skipped": dict(skipped), "fit": asdict(report)}
    return Outcome(captioner_files(model, folder), facts)


def _unlearning(
    run: Run, inputs: Inputs, model: FlamingoCaptioner, kept: CanvasSet, rng: np.random.Generator, folder: Path
) -> Unlearning | None:
    """What ABL withheld is unlearned, up to what the backdoored model loses on the worst tenth of the kept pairs; None if it is nothing."""
    shards = sorted((ref for part in _cleansed(inputs) for ref in withheld_shards(part)), key=lambda ref: ref.name)
    isolated, _ = load_canvas(shards, run.config.canvas, folder / "isolated", limits=for_written(run.config.limits))
    if not len(isolated):
        return None
    ceiling = float(np.percentile(mean_nll(model, kept), _CEILING))
    return Unlearning(model.objective(kept), model.objective(isolated), ceiling, rng)


def _unlearns(details: Details) -> bool:
    return details["arm"] in ISOLATING and details["protocol"] == "p2"


def _made_of(inputs: Inputs, details: Details) -> dict[str, Any]:
    """The model to start from, the shards to learn from (and to forget), whichever arm has written them, and how."""
    learned = _digests(inputs, withheld=False)
    forgotten = _digests(inputs, withheld=True) if _unlearns(details) else None
    others = {name: identity(manifest) for name, manifest in sorted(inputs.items()) if not name.startswith("cleansed")}
    how = {"protocol": details["protocol"], "augmented": details["arm"] == "augment", "forgotten": forgotten}
    return {"inputs": {**others, "learned": learned}, "details": how}


def _digests(inputs: Inputs, *, withheld: bool) -> dict[str, str]:
    return {name: sha256 for part in _cleansed(inputs) for name, sha256 in shard_digests(part, withheld=withheld).items()}


def _cleansed(inputs: Inputs) -> list[StageManifest]:
    return [manifest for name, manifest in inputs.items() if name.startswith("cleansed")]


def _pairs(run: Run, inputs: Inputs, folder: Path) -> tuple[CanvasSet, Mapping[str, int]]:
    """What there is to learn from, and the samples that could not be read, by reason: trusted pairs, or what an arm leaves."""
    if "trusted" in inputs:
        return trusted_pairs(run, inputs["trusted"], folder, "fit"), {}
    shards = sorted((ref for part in _cleansed(inputs) for ref in shards_of(part)), key=lambda ref: ref.name)
    return load_canvas(shards, run.config.canvas, folder, limits=for_written(run.config.limits))


def _hand_back(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    model = captioner(inputs["model"], folder)
    return Outcome(captioner_files(model, folder), {"arm": run.config.cleanse.mode, "protocol": "p1"})


RETRAIN = Stage("retrain", _retrain, ("canvas", "holdout", "limits", "retrain.schedule", "seed"), made_of=_made_of)
MODEL = Stage("model", _hand_back, ("cleanse.mode",), publishes=True)
