"""How the policy does against the attack that an experiment planted: the victim of the suspect data, images with the real trigger.

Known in experiments only; nothing that decides about a pair reads it.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.evaluation import compare, coverage, play
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.random_policy import RandomPolicy
from srd_core.policy.reward_source import CaptionReward
from srd_core.scoring.intervals import wilson
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner
from srd_core.stages.files import local_folder
from srd_core.stages.local_models import reward_models
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.test_images import HOLDOUT, TestSet, attack_files, planted
from srd_core.stages.trusted import fidelity


def _probe(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    if config.evaluation.attack is None:
        return Outcome()
    test = TestSet(config, inputs["test"], planted(config), holdout_only=details["domain"] == HOLDOUT)
    victim, reference = captioner(inputs["model"], folder), captioner(inputs["reference"], folder)
    policy = LearnedPolicy.load(local_folder(inputs["policy"], folder / "learned", "policy"))
    source = CaptionReward(victim, fidelity(run, inputs, folder), reference.caption(test.triggered), config.reward.rule, test.triggered)
    env = MaskingEnvironment(test.triggered, source, policy.space, max_masks=config.policy.dqn.max_masks)
    seed = derive(config.seed, "probe")
    random = RandomPolicy(policy.space, seed=seed)
    facts: dict[str, Any] = {"against_random": asdict(compare(policy, random, env, seed=seed))}
    boxes = np.asarray([box for box in test.boxes if box is not None], dtype=np.float64)
    if len(boxes) == len(test.triggered):
        for name, player in (("coverage", policy), ("coverage_random", random)):
            masks = [state.masks for state in play(player, env).states]
            share = coverage(masks, boxes, policy.space, config.canvas)
            facts[name] = wilson(round(share * len(boxes)), len(boxes)).model_dump(mode="json")
    return Outcome(facts=facts)


_EVALUATION = ("evaluation.attack", "evaluation.target", "evaluation.images")
_READS = ("canvas", "holdout", "limits", "reward", "policy.dqn.max_masks", *_EVALUATION, "seed")
PROBE = Stage("probe", _probe, _READS, named=lambda run: attack_files(run) | reward_models(run))
