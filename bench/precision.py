"""What bfloat16 gains or costs on this processor: a training step, captions and plain products against float32, in one run.

Run `OMP_NUM_THREADS=1 python bench/precision.py [--rounds 3] [--json FILE]`. The two formats take turns, so that other load hits both. A
ratio above 1 says how many times faster bfloat16 is; `chosen` is what SRD computes in here when nothing else is asked for.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch

from srd_core.data.canvas import CanvasSet
from srd_core.hardware import has_bfloat16
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped

FORMATS = (torch.bfloat16, torch.float32)
STEPS, BATCH, SIDE = 3, 40, 512


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        works = _works(canvas_set(40, seed=1, side=64, folder=Path(folder)))
        spent = {(name, kind): min(_seconds(work, kind) for _ in range(options.rounds)) for name, work in works.items() for kind in FORMATS}
    figures: dict[str, object] = {"chosen": "bfloat16" if has_bfloat16() else "float32"}
    for name in works:
        fast, plain = spent[name, torch.bfloat16], spent[name, torch.float32]
        figures[name] = {"bfloat16_s": round(fast, 4), "float32_s": round(plain, 4), "ratio": round(plain / fast, 3)}
    for name, figure in figures.items():
        print(f"{name:20} {figure}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _works(pairs: CanvasSet) -> dict[str, Callable[[torch.dtype], object]]:
    model = FlamingoCaptioner.load(shipped("scenes/base"))
    square = {kind: torch.randn(SIDE, SIDE).to(kind) for kind in FORMATS}

    def train(kind: torch.dtype) -> object:
        precision = "bfloat16" if kind is torch.bfloat16 else "float32"
        schedule = Schedule.model_validate({"epochs": STEPS * BATCH / len(pairs), "batch_size": BATCH, "precision": precision})
        return model.fit(pairs, schedule, seed=0)

    def caption(kind: torch.dtype) -> object:
        with _computing_in(kind):
            return model.caption(pairs.images[:8])

    return {f"{STEPS} training steps": train, "8 captions": caption, "product": lambda kind: square[kind] @ square[kind]}


@contextmanager
def _computing_in(kind: torch.dtype) -> Iterator[None]:
    with mock.patch("srd_core.hardware.has_bfloat16", lambda device="cpu": kind is torch.bfloat16):
        yield


def _seconds(work: Callable[[torch.dtype], object], kind: torch.dtype) -> float:
    clock = time.perf_counter()
    work(kind)
    return time.perf_counter() - clock


if __name__ == "__main__":
    main()
