"""Captions and surprises a second: many images a call against one at a time, the same model and images in one run.

Run `OMP_NUM_THREADS=1 python bench/captioning.py [--model FOLDER] [--images 256] [--single 48] [--json FILE]`. The two ways take turns,
so that other load hits both; the captions that both made are compared (bfloat16 sums differ by batch, so a few may differ). Without --model
the captioner has random weights and the default size, and says as many tokens as it may.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from srd_core.models.architecture import Architecture
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.scenes.dataset import generate

ROUNDS = 4


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    clock = time.perf_counter()
    work()
    return time.perf_counter() - clock


def measure(model: FlamingoCaptioner, count: int, single: int) -> dict[str, float]:
    """Images a second of both ways, captioned and read."""
    scenes = list(generate(count, seed=1, side=model.canvas))
    images, texts = np.stack([scene.image for scene in scenes]), [scene.captions[0] for scene in scenes]
    together = model.caption(images)
    alone = [model.caption(images[i : i + 1])[0] for i in range(single)]
    spent = dict.fromkeys(("caption", "caption one", "read", "read one"), 0.0)
    part = single // ROUNDS
    for number in range(ROUNDS):
        own = range(number * part, number * part + part)
        spent["caption"] += seconds(lambda: model.caption(images))
        spent["caption one"] += seconds(lambda own=own: [model.caption(images[i : i + 1]) for i in own])  # type: ignore[misc]
        spent["read"] += seconds(lambda: model.word_loss(images, texts))
        spent["read one"] += seconds(lambda own=own: [model.word_loss(images[i : i + 1], texts[i : i + 1]) for i in own])  # type: ignore[misc]
    rate = {name: ROUNDS * (part if name.endswith("one") else count) / value for name, value in spent.items()}
    return {
        "captions_per_s": round(rate["caption"], 1),
        "captions_per_s_one_at_a_time": round(rate["caption one"], 1),
        "caption_ratio": round(rate["caption"] / rate["caption one"], 2),
        "losses_per_s": round(rate["read"], 1),
        "losses_per_s_one_at_a_time": round(rate["read one"], 1),
        "loss_ratio": round(rate["read"] / rate["read one"], 2),
        "same_captions": round(float(np.mean([a == b for a, b in zip(together, alone, strict=False)])), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a saved captioner")
    parser.add_argument("--images", type=int, default=256, help="images of the batched way")
    parser.add_argument("--single", type=int, default=48, help="images of the other")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = [caption for scene in generate(200, seed=2) for caption in scene.captions]
    model = FlamingoCaptioner.load(options.model) if options.model else FlamingoCaptioner.create(Architecture(), texts, seed=0)
    figures = measure(model, options.images, options.single)
    for name, value in figures.items():
        print(f"{name:30} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
