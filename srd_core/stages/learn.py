"""Learning where to mask: the DQN plays against the sparring victim on synthetic images, rewarded by the SFS of its captions."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.evaluation import compare, coverage, play
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.learners import learner
from srd_core.policy.random_policy import RandomPolicy
from srd_core.progress import ticker
from srd_core.scoring.asr import contains_word
from srd_core.scoring.intervals import wilson
from srd_core.seeds import derive
from srd_core.stages.files import files_below
from srd_core.stages.game import Game
from srd_core.stages.local_models import reward_models
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage


def _learn(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config.policy
    game = Game(run, inputs, folder)
    seed = derive(run.config.seed, "learn")
    held_out = game.environment(game.measured, max_masks=config.dqn.max_masks)
    played = game.environment(game.rest[: config.images], max_masks=config.dqn.max_masks)
    with ticker("environment steps", total=config.dqn.steps) as tick:
        policy, curve = learner(config.kind)(played, config.dqn, seed=seed, held_out=held_out, progress=tick)
    measures = _measure(policy, held_out, game, seed)
    facts = {"kind": config.kind, "reward_calls": played.asked, "curve": curve.as_dict(), "held_out": measures}
    policy.save(folder / "policy", {"kind": config.kind, "seed": run.config.seed, "steps": curve.steps})
    (folder / "policy" / "curve.json").write_text(json.dumps(facts, sort_keys=True))
    return Outcome(files_below(folder / "policy", "policy"), facts)


def _measure(policy: LearnedPolicy, env: MaskingEnvironment, game: Game, seed: int) -> dict[str, Any]:
    """Figures on held-out synthetic images: reward against random, coverage of the trigger, and how often the victim falls for it."""
    random = RandomPolicy(policy.space, seed=seed)
    boxes, side = game.boxes(game.measured), env.images.shape[1]
    greedy, drawn = play(policy, env), play(random, env)
    said = game.victim.caption(env.images)
    planted = sorted(set(game.synthetic.words))
    fooled = sum(any(contains_word(text, word) for word in planted) for text in said)
    share = coverage([state.masks for state in greedy.states], boxes, policy.space, side)
    return {
        "against_random": asdict(compare(policy, random, env, seed=seed)),
        "coverage": wilson(round(share * len(env)), len(env)).model_dump(),
        "coverage_random": coverage([state.masks for state in drawn.states], boxes, policy.space, side),
        "sparring_asr": wilson(fooled, len(env)).model_dump(),
    }


LEARN = Stage("learn", _learn, ("canvas", "limits", "policy", "reward", "seed"), named=reward_models)
