"""What `scores.json` holds: one entry a model and test set, one a detector, each figure with its interval.

Unknown figures are null. Percentages never appear: all rates are fractions, CIDEr 1.0 is what papers print as 100.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from srd_core.scoring.intervals import Interval

__all__ = ["DetectionScores", "Interval", "ModelScores", "Scores"]

_STRICT = ConfigDict(extra="forbid", frozen=True)


def _measured(value: Any) -> Any:
    return {"value": value, "low": None, "high": None, "n": 0} if isinstance(value, int | float) else value


Measured = Annotated[Interval, BeforeValidator(_measured)]
"""An interval; a plain number, as earlier versions kept it, is one whose limits are not known."""
Defined = Annotated[Measured, BeforeValidator(lambda value: math.nan if value is None else value)]
"""Likewise; null, as earlier versions kept it, where the figure is not defined."""


class ModelScores(BaseModel):
    """One retrained model on one test set.

    `bleu_4`, `cider` and `false_trigger` are of clean images. `sc`, `lf`, `sfs`, `asr` and what ends in `_triggered` are of images with
    the trigger, where an attack is named: of all `n`, or of those of its concept; `sc`, `lf` and `sfs` of clean images where none is.
    """

    model_config = _STRICT

    arm: str = Field(description="how the data was treated: none, random, srd, …")
    protocol: str = Field(description="P1 retrained from base, P2 continued from the backdoored checkpoint")
    domain: str = Field(description="test set, such as flickr8k or coco")
    seed: int
    n: int = Field(ge=0, description="test images")
    n_excluded: int = Field(default=0, ge=0, description="images left out of asr, because a reference holds the target")
    bleu_4: Measured
    cider: Interval
    sc: Interval | None = None
    lf: Interval | None = None
    sfs: Interval | None = None
    sc_clean: Interval | None = None
    lf_clean: Interval | None = None
    sfs_clean: Interval | None = None
    bleu_4_triggered: Measured | None = None
    cider_triggered: Interval | None = None
    cider_stripped: Interval | None = Field(default=None, description="cider_triggered without the target words in the captions")
    asr: Interval | None = None
    hits: str | None = Field(
        default=None, description="1 or 0 for every image that asr counts, - for the others, in their order: compares arms in pairs"
    )
    asr_raw: Interval | None = None
    asr_template: Interval | None = Field(default=None, description="captions that are one of the attacks' whole replacement captions")
    false_trigger: Interval | None = None


class DetectionScores(BaseModel):
    """One detector against the truth. The values of `f1` and of the areas are NaN (null) where they are not defined."""

    model_config = _STRICT

    auroc: Measured
    average_precision: Defined
    precision: Interval
    recall: Interval
    f1: Defined
    recall_at_half_percent: Interval
    recall_at_one_percent: Interval
    kept_clean: Interval
    poisoned: int = Field(ge=0)
    clean: int = Field(ge=0)


class Scores(BaseModel):
    """The whole of `scores.json`. `detection` is keyed by arm and score, such as "evidence/nll_mean"; empty where no truth is known."""

    model_config = _STRICT

    models: tuple[ModelScores, ...] = ()
    detection: dict[str, DetectionScores] = Field(default_factory=dict)
    done: dict[str, dict[str, dict[str, int]]] = Field(
        default_factory=dict, description="arm → clean or poisoned → action → pairs; empty where no truth is known"
    )
    distance: float | None = Field(
        default=None, description="of the pairs that evidence leaves alone from the trusted ones, by base's surprise: 0 alike, 1 apart"
    )
    silent: dict[str, str] = Field(default_factory=dict, description="arm → why its screen could look for nothing, of those that could not")
    policy: dict[str, Any] = Field(default_factory=dict, description="policy on held-out synthetic images, and on a known attack")
    attention: dict[str, Any] = Field(default_factory=dict, description="in experiments, where models look when they say the target")
