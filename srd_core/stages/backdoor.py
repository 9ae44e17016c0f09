"""In experiments with an attacker who trains: the model that he hands on. It takes the place of the one trained on the data as it came.

He has clean pairs of his own, fine-tunes base on them, and goes on with his attack's objective, by the same schedule for as long as the
attack takes.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from srd_core.attacks.prepared import find
from srd_core.data.loading import load_canvas
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner, captioner_files
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.test_images import attack_files


def _backdoor(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    attack = find(config.evaluation.attack or "")
    clean, _ = load_canvas(shards_of(inputs["attacker"]), config.canvas, folder, limits=config.limits)
    model = captioner(inputs["start"], folder)
    model.fit(clean, config.retrain.schedule, seed=derive(config.seed, "backdoor", "clean"))
    objective = attack.objective(model, clean, config.evaluation.target, derive(config.seed, "backdoor", "poison"))
    schedule = config.retrain.schedule.model_copy(update={"epochs": attack.effort * config.retrain.schedule.epochs})
    report = model.fit_to(objective, schedule, seed=derive(config.seed, "backdoor"))
    return Outcome(captioner_files(model, folder), {**details, "pairs": len(clean), "fit": asdict(report)})


_READS = ("canvas", "limits", "retrain.schedule", "evaluation.attack", "evaluation.target", "seed")
BACKDOOR = Stage("backdoor", _backdoor, _READS, named=attack_files)
