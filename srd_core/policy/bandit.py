"""The ε-greedy contextual bandit: the right comparator for a deep Q-network whose action decides nothing but its own reward.

With `max_masks` 1 the DQN of `dqn` is nearly one already: every step ends its episode, so discount, target network and "double" have no
effect, and its Q-map regresses the immediate reward. What is left to take away is what was added against rare rewards: replay weighs
rewarded steps as often as they came, no more, and what is not random is greedy, not a Boltzmann draw. Where several masks are allowed a
bandit is short-sighted: it values each by what it earns at once.

Everything else is the DQN's, so that a difference between the two is that of learning: network and first weights, actions, readout, turned
views, the ε of every step, never the same mask twice on an image, and the number of reward calls.
"""

from __future__ import annotations

from srd_core.policy import dqn
from srd_core.policy.curve import LearningCurve
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.recorder import Progress

PLAIN = {"gamma": 0.0, "double": False, "balance": 0.0, "temperature": 0.0}
"""Settings of `DqnConfig` that make a bandit of the DQN."""


def train(
    env: MaskingEnvironment,
    config: DqnConfig,
    *,
    seed: int,
    progress: Progress | None = None,
    held_out: MaskingEnvironment | None = None,
) -> tuple[LearnedPolicy, LearningCurve]:
    """Like `dqn.train`; of the settings, those in `PLAIN` and `target_update` play no part.

    Raises:
        TrainingError: no gradient step was taken, or the loss is not finite.
    """
    return dqn.train(env, config.model_copy(update=PLAIN), seed=seed, progress=progress, held_out=held_out)
