"""Evidence mode, the first look: a pair is touched only when the evidence against it is stronger than for almost every trusted pair.

The decision logic is this: each channel has a threshold, fixed on trusted pairs that no model was trained on (`calibration`); a pair over
any of them is given the reference's caption with its image kept, or is withheld. Everything else is left alone, unless `consensus` has
found more in the set as a whole.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.defences.calibration import Calibration
from srd_core.defences.channels.base import Scores, View, Witnesses, get


class Evidence:
    """See `Defence`."""

    looks = True

    def __init__(self, witnesses: Witnesses, calibration: Calibration, action: Literal["recaption", "quarantine"] = "recaption") -> None:
        self._witnesses, self._calibration, self._action = witnesses, calibration, action

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        view = View(batch, self._witnesses)
        # Channels without a threshold are asked too: their scores go on record.
        scores = {name: get(name).score(view) for name in self._calibration.scales}
        excess = self._calibration.excess(scores)
        pairs: list[list[PairDecision]] = [[] for _ in batch.captions]
        for pair, owner in enumerate(view.owners.tolist()):
            pairs[owner].append(self._decide(view, scores, excess, pair, owner))
        values = [(choice.q_value, choice.q_gain) for choice in view.choices] if view.choices else [(None, None)] * len(pairs)
        beside = zip(pairs, values, view.references, strict=True)
        return [SampleDecision(tuple(own), None, *value, reference) for own, value, reference in beside]

    def _decide(self, view: View, scores: dict[str, Scores], excess: dict[str, Scores], pair: int, owner: int) -> PairDecision:
        evidence = {name: float(values[pair]) for name, values in scores.items()} | {"sfs": float(view.fidelity[pair])}
        strongest = max(excess, key=lambda name: float(excess[name][pair]))
        word = view.losses[pair].most_surprising
        if float(excess[strongest][pair]) <= 0:
            return PairDecision("keep", "no evidence", evidence=evidence, word=word)
        caption = view.references[owner] if self._action == "recaption" else None
        if caption == "":
            return PairDecision("quarantine", f"{strongest}, and the reference has nothing to say", evidence=evidence, word=word)
        return PairDecision(self._action, strongest, caption, evidence, word)


def collect(batches: list[View], channels: tuple[str, ...]) -> dict[str, Scores]:
    """Scores of all pairs of several batches, by channel."""
    return {name: np.concatenate([get(name).score(view) for view in batches]) if batches else np.zeros(0) for name in channels}
