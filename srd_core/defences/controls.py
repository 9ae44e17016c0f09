"""The control that every evaluation carries: leave everything as it is."""

from __future__ import annotations

from srd_core.defences.base import Batch, PairDecision, SampleDecision


class NoDefence:
    """Keeps every pair."""

    looks = False

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        keep = PairDecision("keep", "no defence")
        return [SampleDecision((keep,) * len(own)) for own in batch.captions]
