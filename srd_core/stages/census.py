"""Are there trusted pairs enough for thresholds? Counted before anything is learned, so that it shows in seconds and not after an hour."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from srd_core.data.loading import Parts, read_samples
from srd_core.data.samples import Sample
from srd_core.errors import SourceError
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage


def _census(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    pairs: Counter[str] = Counter()
    parts = Parts(config.holdout)
    for item in read_samples(shards_of(inputs["trusted"]), config.limits):
        if isinstance(item, Sample):
            pairs[parts.of(item)] += len(item.captions)
    budget = config.evidence.false_positives
    if pairs["holdout"] * budget < 1:
        raise SourceError(
            f"the trusted set has {pairs.total():,} pairs, of which {pairs['holdout']:,} are held out: "
            f"too few to set thresholds for {budget:.2%} false positives",
            hint=f"Give about {math.ceil(_needed(budget) / config.holdout):,} trusted pairs, raise evidence.false_positives, "
            "or weigh no evidence (cleanse.mode, retrain.arms)",
        )
    return Outcome(facts={"fit": pairs["fit"], "holdout": pairs["holdout"]})


def _needed(budget: float) -> float:
    """Held-out pairs that suffice almost always: which they are is drawn by keys, so the number varies by its root."""
    return 1 / budget + 3 * math.sqrt(1 / budget)


CENSUS = Stage("census", _census, ("holdout", "limits", "evidence.false_positives"))
