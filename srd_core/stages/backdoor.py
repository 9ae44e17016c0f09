"""In experiments with an attacker who trains: the model that he hands on. It takes the place of the one trained on the data as it came.

He has clean pairs of his own, fine-tunes base on them, and goes on with his attack's objective, by the same schedule for as long as the
attack takes. The trigger is put on his images at their own resolution, as it is on test images.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from shutil import rmtree

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack
from srd_core.attacks.poison import poison_shards
from srd_core.attacks.prepared import find
from srd_core.data.canvas import CanvasSet
from srd_core.data.inventory import open_shard, take_inventory
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
    poisoned, chosen = _poisoned(run, inputs, attack, folder)
    model = captioner(inputs["start"], folder)
    model.fit(clean, config.retrain.schedule, seed=derive(config.seed, "backdoor", "clean"))
    objective = attack.objective(model, clean, poisoned, chosen)
    schedule = config.retrain.schedule.model_copy(update={"epochs": attack.effort * config.retrain.schedule.epochs})
    report = model.fit_to(objective, schedule, seed=derive(config.seed, "backdoor"))
    return Outcome(captioner_files(model, folder), {**details, "pairs": len(clean), "fit": asdict(report)})


def _poisoned(run: Run, inputs: Inputs, attack: Attack, folder: Path) -> tuple[CanvasSet, npt.NDArray[np.bool_]]:
    """His pairs again, in the same order, and which of them (P,) have trigger and target."""
    config, copy = run.config, folder / "poisoned"
    shards = {ref.name: partial(open_shard, ref) for ref in shards_of(inputs["attacker"])}
    rate = 1.0 if attack.poisons_all else config.evaluation.attacker_rate
    seed = derive(config.seed, "backdoor", "poison")
    made = poison_shards(shards, copy, attack=attack, rate=rate, target=config.evaluation.target, seed=seed, limits=config.limits)
    pairs, _ = load_canvas(take_inventory(str(copy)).shards, config.canvas, folder / "again", limits=config.limits)
    rmtree(copy)
    return pairs, np.isin(pairs.ids, [pair.id for pair in made.poisoned])


_READS = ("canvas", "limits", "retrain.schedule", *(f"evaluation.{key}" for key in ("attack", "target", "attacker_rate")), "seed")
BACKDOOR = Stage("backdoor", _backdoor, _READS, named=attack_files)
