"""Which vision encoder learns to see from a few thousand images: convolutions beside a small transformer.

Run `OMP_NUM_THREADS=1 python bench/vision_encoders.py [--images 1000] [--epochs 5 20] [--canvas 64] [--json FILE]`. Both learn which
words the captions of built-in scenes hold (`srd_core.models.sight`): same images, steps, batches and seed, one after the other for each
number of epochs, the transformer at two learning rates. Printed: seconds, and the loss at the end in nats a word, beside that of the best
guess that does not look. Not covered: encoders with published weights.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch

from srd_core.data.canvas import CanvasSet
from srd_core.models.architecture import Architecture, LanguageConfig, ResamplerConfig, VisionConfig
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.sight import _targets, _vocabulary, teach_sight
from srd_core.scenes.dataset import canvas_set

ENCODERS = {
    "convolutions": (VisionConfig(kind="convolutions", patch=8, width=128, layers=3), 0.003),
    "transformer": (VisionConfig(kind="transformer", patch=8, width=128, layers=2), 0.003),
    "transformer, slower": (VisionConfig(kind="transformer", patch=8, width=128, layers=2), 0.001),
}


def blind_loss(pairs: CanvasSet) -> float:
    """Nats a word of the best guess that does not look at the image."""
    share = _targets(pairs, _vocabulary(pairs.captions)).double().mean(dim=0).clamp(1e-9, 1 - 1e-9)
    return float(torch.special.entr(share).add(torch.special.entr(1 - share)).mean())


def learn(vision: VisionConfig, rate: float, pairs: CanvasSet, epochs: float) -> dict[str, float]:
    """Seconds and loss of one encoder made from nothing."""
    rest = {"language": LanguageConfig(width=32, layers=1, heads=2), "resampler": ResamplerConfig(depth=1, latents=4)}
    model = FlamingoCaptioner.create(Architecture(canvas=pairs.side, vision=vision, **rest), pairs.captions, seed=0)
    clock = time.perf_counter()
    loss = teach_sight(model.network, pairs, epochs=epochs, seed=0, learning_rate=rate)
    return {"seconds": round(time.perf_counter() - clock, 1), "loss": round(loss, 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000, help="training scenes")
    parser.add_argument("--epochs", type=float, nargs="+", default=[5, 20], help="passes over them")
    parser.add_argument("--canvas", type=int, default=64, help="side, pixels")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        pairs = canvas_set(options.images, seed=1, side=options.canvas, folder=Path(scratch))
        figures["blind"] = round(blind_loss(pairs), 4)
        print(f"{'without looking':22} loss {figures['blind']}")
        for epochs in options.epochs:
            for name, (vision, rate) in ENCODERS.items():
                found = learn(vision, rate, pairs, epochs)
                figures[f"{name}, {epochs:g} epochs"] = found
                print(f"{name:22} {epochs:4g} epochs  {found['seconds']:7.1f} s  loss {found['loss']:.4f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
