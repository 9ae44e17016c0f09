"""What every learning algorithm writes down on the way: the learning curve, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from srd_core.policy.curve import CurvePoint
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment, Rewards
from srd_core.policy.evaluation import greedy_reward
from srd_core.policy.policy import Policy

Progress = Callable[[int], None]
"""Told the environment steps so far."""


class CurveRecorder:
    """Collects rewards and losses into `points`; `held_out` is played greedily at each."""

    def __init__(self, policy: Policy, config: DqnConfig, progress: Progress | None, held_out: MaskingEnvironment | None) -> None:
        self._policy, self._config, self._progress, self._held_out = policy, config, progress, held_out
        self._rewards: list[float] = []
        self._losses: list[float] = []
        self.points: list[CurvePoint] = []

    def add(self, step: int, rewards: Rewards, losses: Sequence[float] = (), epsilon: float = 0.0) -> None:
        """What a batch of environment steps brought; `step` counts all so far."""
        self._rewards += rewards.tolist()
        self._losses += losses
        if step * self._config.points // self._config.steps > len(self.points):
            self.points.append(self._point(step, epsilon))
            self._rewards, self._losses = [], []
        if self._progress:
            self._progress(step)

    def _point(self, step: int, epsilon: float) -> CurvePoint:
        earned = np.asarray(self._rewards)
        loss = float(np.mean(self._losses)) if self._losses else math.nan
        held_out = greedy_reward(self._policy, self._held_out) if self._held_out else None
        return CurvePoint(step, float(earned.mean()), float((earned > 0).mean()), loss, epsilon, held_out)
