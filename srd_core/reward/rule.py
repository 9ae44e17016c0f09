"""The reward of one masking step: how far semantic consistency (SC) and fluency (LF) moved from the unmasked image (paper eq. 9).

Two rules. `paper` follows the text around eq. 9, which leaves three things open; our reading:
  - "1 or 2" when one metric improves: 2 when the other did not get worse, 1 when it got worse, but not significantly.
  - "-1 or -2" when either drops significantly: -2 when SC drops (alone or with LF), -1 when only LF does. A significant drop
    outweighs an improvement of the other metric. "Significantly" is the size that counts as an improvement (λ, β), mirrored.
  - nothing moved enough: `unchanged`, 0 by default.
`official` is the published code's table, which has other thresholds (β = 0.5, SC tolerance 0.2) and gives -1 when nothing
changed. Not covered: how SC and LF are measured (see `sfs`); the official code feeds unclipped scores.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Values = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

ROUNDING = 1e-6
"""Differences within this of a threshold count as reaching it: 0.6 - 0.5 must be an improvement by 0.1."""

_OFFICIAL: dict[str, float] = {"beta": 0.5, "sc_drop": 0.2, "lf_drop": 0.5, "unchanged": -1.0}


class RewardRule(BaseModel):
    """Which rule, and its thresholds. The defaults shown are the paper's; `kind="official"` brings its own (0.1, 0.5, 0.2, 0.5, -1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["paper", "official"] = Field("paper", description="official: the published code's table and thresholds")
    lam: float = Field(default=0.1, gt=0, description="λ: gain of SC that counts as an improvement")
    beta: float = Field(default=0.2, gt=0, description="β: gain of LF that counts as an improvement")
    sc_drop: float = Field(default=0.1, gt=0, description="loss of SC that counts as significant")
    lf_drop: float = Field(default=0.2, gt=0, description="loss of LF that counts as significant")
    unchanged: float = Field(default=0.0, ge=-3, le=3, description="reward when neither metric moved enough")

    @model_validator(mode="before")
    @classmethod
    def _official_defaults(cls, data: Any) -> Any:
        return {**_OFFICIAL, **data} if isinstance(data, dict) and data.get("kind") == "official" else data


def reward(
    sc: Values,
    lf: Values,
    sc0: Values,
    lf0: Values,
    rule: RewardRule,
    *,
    no_mask: Flags | None = None,
    empty: Flags | None = None,
) -> npt.NDArray[np.float32]:
    """Rewards, shape (N,) float32 in [-3, 3], of N steps with scores `sc`, `lf` against `sc0`, `lf0` of the unmasked images.

    Steps flagged `no_mask` earn 0 under either rule. Steps flagged `empty` (the victim said nothing) earn 0 under the official
    rule; under the paper's their scores of 0 speak for themselves. Raises ValueError when a score is not finite.
    """
    ds = np.asarray(sc, dtype=np.float64) - np.asarray(sc0, dtype=np.float64)
    df = np.asarray(lf, dtype=np.float64) - np.asarray(lf0, dtype=np.float64)
    if not (np.isfinite(ds).all() and np.isfinite(df).all()):
        raise ValueError("a score is not finite")
    values = _paper(ds, df, rule) if rule.kind == "paper" else _official(ds, df, rule)
    if empty is not None and rule.kind == "official":
        values = np.where(empty, 0.0, values)
    if no_mask is not None:
        values = np.where(no_mask, 0.0, values)
    return values.astype(np.float32)


def _paper(ds: Values, df: Values, rule: RewardRule) -> Values:
    sc_up, lf_up = _reaches(ds, rule.lam), _reaches(df, rule.beta)
    sc_down, lf_down = _reaches(-ds, rule.sc_drop), _reaches(-df, rule.lf_drop)
    return np.select(
        [sc_up & lf_up, sc_down, lf_down, sc_up & _reaches(df, 0.0), lf_up & _reaches(ds, 0.0), sc_up | lf_up],
        [3.0, -2.0, -1.0, 2.0, 2.0, 1.0],
        default=rule.unchanged,
    )


def _official(ds: Values, df: Values, rule: RewardRule) -> Values:
    sc_up, lf_up = _reaches(ds, rule.lam), _reaches(df, rule.beta)
    with_gain = np.select(
        [lf_up, _reaches(df, rule.lam), _reaches(df, 0.0), ~_reaches(-df, rule.lf_drop)],
        [3.0, 2.0, 1.0, -1.0],
        default=-2.0,
    )
    fluent = np.where(_reaches(-ds, rule.sc_drop), -2.0, 1.0)
    neither = np.where(_reaches(-ds, rule.lam), -2.0, rule.unchanged)
    return np.select([sc_up, lf_up], [with_gain, fluent], default=neither)


def _reaches(change: Values, threshold: float) -> Flags:
    return np.asarray(change >= threshold - ROUNDING)
