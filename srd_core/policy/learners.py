"""The algorithms that learn to mask, by name. All play the same game for the same number of environment steps, each a caption rewarded."""

from __future__ import annotations

from typing import Literal, Protocol

from srd_core.policy.curve import LearningCurve
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.recorder import Progress

Kind = Literal["dqn", "ppo", "sac", "bandit"]


class Train(Protocol):
    """What each of their modules has."""

    def __call__(
        self,
        env: MaskingEnvironment,
        config: DqnConfig,
        *,
        seed: int,
        progress: Progress | None = None,
        held_out: MaskingEnvironment | None = None,
    ) -> tuple[LearnedPolicy, LearningCurve]:
        """Learn a policy on `env`; `held_out` is only measured."""
        ...


def learner(kind: Kind) -> Train:
    """The algorithm; its library is loaded now.

    Raises:
        ConfigError: its library is not installed.
    """
    if kind == "ppo":
        from srd_core.policy.ppo import train as ppo

        return ppo
    if kind == "sac":
        from srd_core.policy.sac import train as sac

        return sac
    if kind == "bandit":
        from srd_core.policy.bandit import train as bandit

        return bandit
    from srd_core.policy.dqn import train as dqn

    return dqn
