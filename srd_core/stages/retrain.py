"""Fine-tune on one arm's data: P1 starts from base, P2 continues from the backdoored checkpoint (base fine-tuned on the data as it came).

Number of epochs and everything else are fixed beforehand and the same for all arms; no checkpoint is chosen by its scores.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from srd_core.data.loading import load_canvas
from srd_core.errors import SourceError
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner, captioner_files
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage


def _retrain(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    parts = [manifest for name, manifest in inputs.items() if name.startswith("cleansed")]
    shards = sorted((ref for part in parts for ref in shards_of(part)), key=lambda ref: ref.name)
    pairs, skipped = load_canvas(shards, run.config.canvas, folder, limits=run.config.limits)
    if not len(pairs):
        raise SourceError(f"arm {details['arm']} leaves no pair to train on", hint="Look at the reasons in decisions/")
    model = captioner(inputs["start"], folder)
    seed = derive(run.config.seed, "retrain", details["protocol"])
    report = model.fit(pairs, run.config.retrain.schedule, seed=seed)
    facts = {**details, "pairs": len(pairs), "skipped": dict(skipped), "fit": asdict(report)}
    return Outcome(captioner_files(model, folder), facts)


def _hand_back(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    model = captioner(inputs["model"], folder)
    return Outcome(captioner_files(model, folder), {"arm": run.config.cleanse.mode, "protocol": "p1"})


RETRAIN = Stage("retrain", _retrain, ("canvas", "limits", "retrain.schedule", "seed"))
MODEL = Stage("model", _hand_back, ("cleanse.mode",), publishes=True)
