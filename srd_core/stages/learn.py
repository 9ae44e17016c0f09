"""Learning where to mask: the DQN plays against the sparring victim on synthetic images, rewarded by the SFS of its captions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from srd_core.attacks.synthesis import Synthetic
from srd_core.errors import SourceError
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.evaluation import compare, coverage, play
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.learners import learner
from srd_core.policy.random_policy import RandomPolicy
from srd_core.policy.reward_source import CaptionReward
from srd_core.progress import ticker
from srd_core.scoring.asr import contains_word
from srd_core.scoring.intervals import wilson
from srd_core.seeds import derive, generator
from srd_core.stages.captioners import captioner
from srd_core.stages.files import files_below
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.synthesize import load_synthetic
from srd_core.stages.trusted import fidelity


def _learn(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config.policy
    synthetic = load_synthetic(run, inputs["synthetic"], folder)
    victim, reference = captioner(inputs["sparring"], folder), captioner(inputs["reference"], folder)
    scorer = fidelity(run, inputs, folder, precision="bfloat16")
    order = generator(run.config.seed, "learn", "split").permutation(len(synthetic))
    held = min(config.held_out, len(order) // 4)
    if not held:
        raise SourceError(
            f"{len(order)} synthetic pairs are too few to learn on some and to measure on others",
            hint="Give a larger trusted set: a few hundred pairs are useful, eight the least",
        )
    measured, learned = order[:held], order[held : held + config.images]

    def environment(rows: np.ndarray) -> MaskingEnvironment:
        images = synthetic.images[rows]
        source = CaptionReward(victim, scorer, reference.caption(images), run.config.reward.rule, images)
        return MaskingEnvironment(images, source, max_masks=config.dqn.max_masks)

    seed = derive(run.config.seed, "learn")
    held_out = environment(measured)
    game = environment(learned)
    with ticker("environment steps", total=config.dqn.steps) as tick:
        policy, curve = learner(config.kind)(game, config.dqn, seed=seed, held_out=held_out, progress=tick)
    measures = _measure(policy, held_out, synthetic, measured, victim, seed)
    facts = {"kind": config.kind, "reward_calls": game.steps, "curve": curve.as_dict(), "held_out": measures}
    policy.save(folder / "policy", {"kind": config.kind, "seed": run.config.seed, "steps": curve.steps})
    (folder / "policy" / "curve.json").write_text(json.dumps(facts, sort_keys=True))
    return Outcome(files_below(folder / "policy", "policy"), facts)


def _measure(
    policy: LearnedPolicy, env: MaskingEnvironment, synthetic: Synthetic, rows: np.ndarray, victim: FlamingoCaptioner, seed: int
) -> dict[str, Any]:
    """Figures on held-out synthetic images: reward against random, coverage of the trigger, and how often the victim falls for it."""
    random = RandomPolicy(policy.space, seed=seed)
    boxes = np.asarray([[box.x0, box.y0, box.x1, box.y1] for box in (synthetic.boxes[i] for i in rows)], dtype=np.int64)
    side = env.images.shape[1]
    greedy, drawn = play(policy, env), play(random, env)
    said = victim.caption(env.images)
    planted = sorted(set(synthetic.words))
    fooled = sum(any(contains_word(text, word) for word in planted) for text in said)
    share = coverage([state.masks for state in greedy.states], boxes, policy.space, side)
    return {
        "against_random": asdict(compare(policy, random, env, seed=seed)),
        "coverage": wilson(round(share * len(rows)), len(rows)).model_dump(),
        "coverage_random": coverage([state.masks for state in drawn.states], boxes, policy.space, side),
        "sparring_asr": wilson(fooled, len(rows)).model_dump(),
    }


LEARN = Stage("learn", _learn, ("canvas", "limits", "policy", "reward", "seed"))
