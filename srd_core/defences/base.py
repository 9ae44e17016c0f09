"""What a defence is: it looks at samples as a model sees them and says what is to happen to each pair.

A mask acts on the image and so on all its pairs; recaptioning and quarantine act on single captions. A defence never sees the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from srd_core.data.samples import Images
from srd_core.policy.masks import Mask

PairAction = Literal["keep", "mask", "recaption", "quarantine"]


@dataclass(frozen=True)
class Batch:
    """N samples: `images` (N, S, S, 3) uint8 at canvas size, the captions of each, and, if they are known, the ids of their pairs and the
    (height, width) of the images as they came.
    """

    images: Images
    captions: Sequence[tuple[str, ...]]
    ids: Sequence[tuple[str, ...]] = ()
    shapes: Sequence[tuple[int, int]] = ()

    @property
    def owners(self) -> list[int]:
        """For each pair, in order, the number of its sample."""
        return [number for number, own in enumerate(self.captions) for _ in own]

    @property
    def flat(self) -> list[str]:
        """All captions, in order."""
        return [caption for own in self.captions for caption in own]


@dataclass(frozen=True, slots=True)
class PairDecision:
    """What happens to one pair and why. `caption` replaces the old one when the action is recaption; `evidence` holds scores by channel."""

    action: PairAction
    reason: str
    caption: str | None = None
    evidence: Mapping[str, float] = field(default_factory=dict)
    word: str = ""


@dataclass(frozen=True, slots=True)
class SampleDecision:
    """The mask for the image, if any, the policy's figures for it, what a reference says of it, and one decision for each caption."""

    pairs: tuple[PairDecision, ...]
    mask: Mask | None = None
    q_value: float | None = None
    q_gain: float | None = None
    reference: str = ""


class Defence(Protocol):
    """Decides on batches of samples; equal samples get equal decisions, whatever the batch."""

    @property
    def looks(self) -> bool:
        """Whether it looks at images at all; if not, `Batch.images` has no pixels."""
        ...

    def decide(self, batch: Batch) -> list[SampleDecision]: ...
