"""What the learning stage wrote down, as objects again."""

from __future__ import annotations

from math import nan
from typing import Any, cast

from srd_core.data.manifest import StageManifest
from srd_core.policy.curve import CurvePoint, LearningCurve
from srd_core.policy.evaluation import AgainstControl
from srd_core.scoring.intervals import Interval


def curve_of(policy: StageManifest) -> LearningCurve:
    """The learning curve."""
    facts = dict(cast(dict[str, Any], policy.facts["curve"]))
    points = tuple(CurvePoint(**{**point, "loss": nan if point["loss"] is None else point["loss"]}) for point in facts.pop("points"))
    return LearningCurve(points, **facts)


def held_out_of(policy: StageManifest) -> tuple[AgainstControl, str, Interval]:
    """The policy against random on held-out synthetic images, the control's name, and coverage of their triggers."""
    facts = cast(dict[str, Any], policy.facts["held_out"])
    return AgainstControl(**facts["against_random"]), "random", Interval.model_validate(facts["coverage"])
