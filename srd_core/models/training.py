"""The training loop that every captioner of this project shares: AdamW, linear warm-up, cosine decay, clipped gradients.

Pairs that show the same image are put into the same batch, so that its vision encoding is computed once for all of them.
Attention runs as plain matrix products: on short sequences the fused CPU kernel's bfloat16 backward took a third of the step.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from srd_core.data.canvas import CanvasSet
from srd_core.errors import SourceError, TrainingError
from srd_core.hardware import autocast
from srd_core.models.network import FlamingoNetwork
from srd_core.models.objectives.captioning import Objective
from srd_core.models.schedule import FitReport, Schedule
from srd_core.progress import track
from srd_core.seeds import generator


def fit_network(network: FlamingoNetwork, objective: Objective, schedule: Schedule, *, seed: int) -> FitReport:
    """Train `network` in place on the pairs of `objective` and report.

    Raises:
        SourceError: there is no pair.
        TrainingError: the loss is not a number, or no step was taken.
    """
    pairs = objective.pairs
    if not len(pairs):
        raise SourceError("there is no pair to train on", hint="Check that the source holds samples with an image and a caption")
    torch.manual_seed(seed)
    network.set_trainable(schedule.trains)
    network.train()
    network.freeze_statistics()
    size = min(schedule.batch_size, len(pairs))
    steps = max(1, round(schedule.epochs * len(pairs) / size))
    optimizer = _optimizer(network, schedule)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, schedule.warmup))
    losses: list[float] = []
    started = time.monotonic()
    for batch in track(_batches(pairs, size, steps, seed), "train", total=steps):
        losses.append(_step(network, objective, batch, optimizer, schedule))
        rates.step()
    network.eval()
    if not losses or not math.isfinite(sum(losses)):
        problem = f"training did not succeed: {len(losses)} steps, last loss {losses[-1:]}"
        raise TrainingError(problem, hint="Lower learning_rate, or use float32")
    tenth = max(1, len(losses) // 10)
    return FitReport(len(losses), float(np.mean(losses[:tenth])), float(np.mean(losses[-tenth:])), time.monotonic() - started)


def _step(network: FlamingoNetwork, objective: Objective, batch: np.ndarray, optimizer: torch.optim.Optimizer, schedule: Schedule) -> float:
    with autocast(schedule.precision, network.device), sdpa_kernel(SDPBackend.MATH):
        loss = objective.loss(batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for p in network.parameters() if p.grad is not None], schedule.clip)
    optimizer.step()
    return loss.item()


def _batches(pairs: CanvasSet, size: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """`steps` batches of pair numbers; images in random order each epoch, the pairs of one image next to each other."""
    made = 0
    for epoch in itertools.count():
        rng = generator(seed, "batches", epoch)
        rank = rng.permutation(len(pairs.images))
        order = np.lexsort((rng.random(len(pairs)), rank[pairs.image_of]))
        for start in range(0, len(order) - size + 1, size):
            if made == steps:
                return
            made += 1
            yield order[start : start + size]


def _optimizer(network: FlamingoNetwork, schedule: Schedule) -> torch.optim.Optimizer:
    """Weight decay on matrices only; gains, biases, gates and embeddings of one dimension stay free of it."""
    learning = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim >= 2], "weight_decay": schedule.weight_decay},
        {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=(0.9, 0.98), fused=True)


def _rate(step: int, steps: int, warmup: float) -> float:
    rising = max(1, round(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
