"""The learning curve of a policy: what was recorded on the way, so that a run can be judged after the fact."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One interval of training. `step` environment steps so far; means over the interval, except `held_out`."""

    step: int
    mean_reward: float
    improved: float
    """Share of the interval's steps with reward > 0."""
    loss: float
    """Mean Huber loss, of SAC that of both critics together; NaN before the first gradient step, and with PPO."""
    epsilon: float
    held_out: float | None
    """Mean reward of the greedy policy on the held-out environment, when there is one."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """All points of a run, environment steps, gradient steps. No times: a policy is known by its files, which come out the same twice."""

    points: tuple[CurvePoint, ...]
    steps: int
    gradient_steps: int

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON; a loss that is not a number is null."""
        points = [{**asdict(point), "loss": None if math.isnan(point.loss) else point.loss} for point in self.points]
        return {"points": points, "steps": self.steps, "gradient_steps": self.gradient_steps}
