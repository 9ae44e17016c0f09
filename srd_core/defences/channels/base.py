"""What a channel sees, and the registry of channels.

Costly looks at a batch (surprise of the captions, reference captions, Q-values) are taken once, when the first channel asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from srd_core.defences.base import Batch
from srd_core.models.captioner import Captioner, WordLoss
from srd_core.policy.policy import Choice, Policy
from srd_core.registry import Registry
from srd_core.reward.sfs import SemanticFidelity

Scores = npt.NDArray[np.float64]
"""One score a pair, shape (P,); higher is more suspicious."""


@dataclass(frozen=True)
class Witnesses:
    """The models of the trusted side that can be asked; no policy where no channel asks one."""

    base: Captioner
    reference: Captioner
    policy: Policy | None
    fidelity: SemanticFidelity


class View:
    """A batch as the channels see it: P pairs over N samples."""

    def __init__(self, batch: Batch, witnesses: Witnesses) -> None:
        self.batch, self._witnesses = batch, witnesses
        self.owners = np.asarray(batch.owners, dtype=np.int64)
        self.captions = batch.flat

    @cached_property
    def losses(self) -> list[WordLoss]:
        """The base model's surprise at each training caption, word by word."""
        return self._witnesses.base.word_loss(self.batch.images[self.owners], self.captions)

    @cached_property
    def references(self) -> list[str]:
        """The reference's caption of each sample, N of them."""
        return self._witnesses.reference.caption(self.batch.images)

    @cached_property
    def fidelity(self) -> Scores:
        """SFS of each training caption against the reference's, in [0, 1]."""
        return self._witnesses.fidelity.score(self.captions, [self.references[owner] for owner in self.owners]).sfs

    @cached_property
    def choices(self) -> list[Choice] | None:
        """The policy's choice for each sample, N of them; None where there is no policy."""
        return self._witnesses.policy.choose(self.batch.images) if self._witnesses.policy else None


Score = Callable[[View], Scores]


@dataclass(frozen=True)
class Channel:
    """A way to score pairs, and whether it needs `View.choices`: a policy is learned only for those that do."""

    score: Score
    asks_policy: bool = False


_CHANNELS: Registry[Channel] = Registry("srd_core.defences.channels", "evidence channel")

get = _CHANNELS.get
"""The channel of that name."""


def channel(name: str, *, asks_policy: bool = False) -> Callable[[Score], Score]:
    """Decorator: make a channel known under a name."""

    def keep(score: Score) -> Score:
        _CHANNELS.add(name, Channel(score, asks_policy))
        return score

    return keep
