"""Environment steps a second: many images a call with a memory, against the same loop one image at a time without one, in one run.

Run `OMP_NUM_THREADS=1 python bench/policy_speed.py [--model FOLDER] [--steps 1024] [--single 96] [--json FILE]`. Both loops play the same
kind of steps: random masks on built-in scenes, captioned by the same captioner, scored by the same models, scores of the unmasked images
kept in both (the official code keeps them too). They take turns, so that other load hits both. Without --model the captioner has random
weights and the default size, and says as many tokens as it may. The target is a ratio of at least 6.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from srd_core.models.architecture import Architecture
from srd_core.models.captioner import Captioner
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.masks import ActionSpace
from srd_core.policy.reward_source import CaptionReward, Fidelity
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.rule import RewardRule
from srd_core.reward.sfs import SemanticFidelity
from srd_core.scenes.dataset import SceneSample, generate
from srd_core.seeds import generator

SPACE = ActionSpace()
ENVS = 64
ROUNDS = 4


def fidelity(scenes: Sequence[SceneSample], remember: int) -> Fidelity:
    """The score, with encoder and fluency model that remember so many texts."""
    texts = [caption for scene in scenes for caption in scene.captions]
    score = SemanticFidelity(SentenceEncoder(remember=remember), NgramFluency(remember=remember).fit(texts))
    score.score(texts[:1], texts[:1])
    return score


def play(env: MaskingEnvironment, steps: int, envs: int, seed: object) -> float:
    """Seconds for so many random steps, `envs` images at a time."""
    draw = generator(0, "policy-speed", seed)
    clock = time.perf_counter()
    for start in range(0, steps, envs):
        count = min(envs, steps - start)
        env.step(env.reset(draw.permutation(len(env))[:count]), draw.integers(SPACE.masks, size=count))
    return time.perf_counter() - clock


def environment(captioner: Captioner, scenes: Sequence[SceneSample], remember: int) -> tuple[MaskingEnvironment, CaptionReward]:
    """A masking environment whose unmasked images have been scored already."""
    images = np.stack([scene.image for scene in scenes])
    source = CaptionReward(captioner, fidelity(scenes, remember), [scene.captions[0] for scene in scenes], RewardRule(), images, SPACE)
    env = MaskingEnvironment(images, source, SPACE)
    env.step(env.reset(range(len(env))), np.zeros(len(env), np.int64))
    return env, source


def measure(captioner: Captioner, steps: int, single: int) -> dict[str, float]:
    """Steps a second of both loops, and of asking again what is known already."""
    scenes = list(generate(ENVS, seed=1, side=captioner.canvas))
    batched, source = environment(captioner, scenes, 50_000)
    lonely, _ = environment(captioner, scenes, 1)
    spent_batched = spent_single = 0.0
    for number in range(ROUNDS):
        spent_batched += play(batched, steps // ROUNDS, ENVS, number)
        spent_single += play(lonely, single // ROUNDS, 1, ("single", number))
    spent_again = sum(play(batched, steps // ROUNDS, ENVS, number) for number in range(ROUNDS))
    fast, slow = steps / spent_batched, single / spent_single
    return {
        "batched_steps_per_s": round(fast, 1),
        "single_steps_per_s": round(slow, 1),
        "ratio": round(fast / slow, 2),
        "asked_again_steps_per_s": round(steps / spent_again, 1),
        "captions": source.captions,
        "calls": source.calls,
        "hits": source.hits,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a saved captioner")
    parser.add_argument("--steps", type=int, default=1024, help="steps of the batched loop")
    parser.add_argument("--single", type=int, default=96, help="steps of the loop of one image at a time")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = [caption for scene in generate(200, seed=2) for caption in scene.captions]
    captioner = FlamingoCaptioner.load(options.model) if options.model else FlamingoCaptioner.create(Architecture(), texts, seed=0)
    figures = measure(captioner, options.steps, options.single)
    for name, value in figures.items():
        print(f"{name:26} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
