"""What each defence costs: seconds, captions said and read, pairs trained on, for every pair of a suspect set and for a million of them.

Run `OMP_NUM_THREADS=1 python bench/defence_cost.py [--images 200] [--json FILE]`. All defences look at the same 64-pixel scenes, one after
another on one core, with the packaged base and reference and an untrained policy of the usual size, which decides at the same cost. What
is learned once for any number of pairs (policy, thresholds) is not counted. The last row is one fine-tuning by profile `scenes`, in whose
terms the last column is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from srd_core.attacks.poison import poison_canvas
from srd_core.attacks.registry import get as attack
from srd_core.config import load_config
from srd_core.data.canvas import CanvasSet
from srd_core.defences.base import Batch, Defence
from srd_core.defences.calibration import Calibration
from srd_core.defences.channels.base import Witnesses
from srd_core.defences.evidence import Evidence
from srd_core.defences.masking import MaskEverything
from srd_core.defences.screens.base import Screening
from srd_core.defences.screens.base import get as screen
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import ActionSpace
from srd_core.policy.qnetwork import NetworkShape, QNetwork
from srd_core.policy.random_policy import RandomPolicy
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.sfs import SemanticFidelity
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped

SCREENS = ("templates", "rare", "windows", "residual", "nll", "pmi", "vdc", "vdc-min", "abl", "abl-max", "ct")
BATCH = 128
MILLION = 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200, help="suspect images, with five captions each")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    schedule = load_config("scenes").retrain.schedule
    with tempfile.TemporaryDirectory() as folder:
        suspect, trusted = (
            canvas_set(n, seed=seed, side=64, folder=Path(folder) / str(seed)) for n, seed in ((options.images, 1), (100, 2))
        )
        poisoned, _ = poison_canvas(suspect, attack("badnet"), 0.1, "banana", 0)
        figures = {name: measured(work, len(poisoned)) for name, work in works(poisoned, trusted, schedule).items()}
    whole = figures["fine-tuning"]["ms a pair"]
    for name, row in figures.items():
        row["of one fine-tuning"] = round(row["ms a pair"] / whole, 4)
        print(f"{name:12} " + "   ".join(f"{what} {value}" for what, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def works(suspect: CanvasSet, trusted: CanvasSet, schedule: Schedule) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    base, reference = (FlamingoCaptioner.load(shipped(f"scenes/{name}")) for name in ("base", "reference"))
    space = ActionSpace()
    policy = LearnedPolicy(QNetwork(NetworkShape(grid=space.grid, sizes=len(space.sizes), width=24)), space)
    fidelity = SemanticFidelity(SentenceEncoder(), NgramFluency().fit(trusted.captions))
    thresholds = dict.fromkeys(("nll_mean", "nll_max", "infidelity", "q_gain"), 1e9)
    evidence = Evidence(
        Witnesses(base, reference, policy, fidelity),
        Calibration.model_construct(thresholds=thresholds, scales=dict.fromkeys(thresholds, 1.0)),
    )
    work = Screening(suspect, trusted, lambda: FlamingoCaptioner.load(shipped("scenes/base")), schedule, 0.005, 0)
    made: dict[str, Callable[[], object]] = {
        "random": lambda: decided(MaskEverything(RandomPolicy(seed=0)), suspect),
        "srd": lambda: decided(MaskEverything(policy), suspect),
        "evidence": lambda: decided(evidence, suspect),
    }
    made |= {name: lambda name=name: screen(name)(work) for name in SCREENS}  # type: ignore[misc]
    return made | {"fine-tuning": lambda: work.base().fit(suspect, schedule, seed=0)}


def decided(defence: Defence, pairs: CanvasSet) -> None:
    """Every decision, in batches of samples."""
    grouped = sorted(pairs.references().items())
    for start in range(0, len(grouped), BATCH):
        part = grouped[start : start + BATCH]
        defence.decide(Batch(np.asarray(pairs.images[[image for image, _ in part]]), [tuple(texts) for _, texts in part]))


def measured(work: Callable[[], object], pairs: int) -> dict[str, Any]:
    """Time and calls for each of `pairs`."""
    with counted() as calls:
        clock = time.perf_counter()
        work()
        seconds = time.perf_counter() - clock
    ms = 1000 * seconds / pairs
    counts = {name: round(calls[name] / pairs, 2) for name in ("said", "read", "trained")}
    return {"ms a pair": round(ms, 3), "hours a million": round(ms * MILLION / 3.6e6, 2), **counts}


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """What captioners are asked meanwhile: captions said, captions read, pairs trained on."""
    calls: Counter[str] = Counter()
    real = {name: getattr(FlamingoCaptioner, name) for name in ("caption", "word_loss", "fit_to")}

    def caption(self: FlamingoCaptioner, images: Any) -> Any:
        calls["said"] += len(images)
        return real["caption"](self, images)

    def word_loss(self: FlamingoCaptioner, images: Any, captions: Any) -> Any:
        calls["read"] += len(captions)
        return real["word_loss"](self, images, captions)

    def fit_to(self: FlamingoCaptioner, objective: Any, schedule: Schedule, *, seed: int) -> Any:
        report = real["fit_to"](self, objective, schedule, seed=seed)
        calls["trained"] += report.steps * schedule.batch_size
        return report

    with ExitStack() as stack:
        for name, stand_in in (("caption", caption), ("word_loss", word_loss), ("fit_to", fit_to)):
            stack.enter_context(mock.patch.object(FlamingoCaptioner, name, stand_in))
        yield calls


if __name__ == "__main__":
    main()
