"""How well a policy could do at all: every action tried on held-out synthetic images, in the game that the policy learns.

It depends on no policy, so one measurement serves all algorithms. The images are the first of those that `learn` measures on; a few
captions may differ from those heard there, as sums in bfloat16 depend on the batch. Nothing that decides about a pair reads these figures.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from srd_core.policy.oracle import Attainable, TriggerBounds, attainable, every_reward, trigger_bounds
from srd_core.seeds import derive
from srd_core.stages.game import Game
from srd_core.stages.local_models import reward_models
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage


def _bounds(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    if not run.config.bounds:
        return Outcome()
    game = Game(run, inputs, folder)
    rows = game.measured[: run.config.bounds]
    env = game.environment(rows, max_masks=1)
    rewards, seed = every_reward(env), derive(run.config.seed, "bounds")
    triggers = trigger_bounds(rewards, game.boxes(rows), env.space, env.images.shape[1], seed=seed)
    facts = {
        "images": len(env),
        "reward_calls": env.asked,
        "attainable": TypeAdapter(Attainable).dump_python(attainable(rewards, seed=seed), mode="json"),
        "triggers": TypeAdapter(TriggerBounds).dump_python(triggers, mode="json"),
    }
    return Outcome(facts=facts)


BOUNDS = Stage("bounds", _bounds, ("bounds", "canvas", "limits", "policy.held_out", "reward", "seed"), named=reward_models)
