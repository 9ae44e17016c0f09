"""Paper mode: a policy masks every image, no captioner in the loop (paper: "SRD is applied to each sample in the fine-tuning dataset").

With the learned policy this is the paper's SRD, with `RandomPolicy` its control.
"""

from __future__ import annotations

import math

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.policy.policy import Choice, Policy


class MaskEverything:
    """The policy's best mask on every image, "no mask" ruled out."""

    looks = True

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        choices = self._policy.choose(batch.images, force_mask=True)
        return [_decision(choice, len(own)) for choice, own in zip(choices, batch.captions, strict=True)]


def _decision(choice: Choice, pairs: int) -> SampleDecision:
    estimated = not math.isnan(choice.q_value)
    return SampleDecision(
        (PairDecision("mask", "every image is masked"),) * pairs,
        choice.mask,
        choice.q_value if estimated else None,
        choice.q_gain if estimated else None,
    )
