"""Everything that the page shows, gathered by the stage that knows it. No figure is computed here or in the template.

A part that does not exist is None or empty, and `ReportData.reasons` says why; the page shows that reason in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from srd_core.data.samples import Image
from srd_core.policy.curve import LearningCurve
from srd_core.policy.evaluation import AgainstControl
from srd_core.policy.masks import Mask
from srd_core.report.verdict import Verdict, WordEvidence
from srd_core.scoring.frequency import FrequentWord
from srd_core.scoring.intervals import Interval
from srd_core.scoring.scores import Scores

Grid = npt.NDArray[np.integer[Any] | np.floating[Any]]
"""Values on the action grid, (sizes, rows, columns)."""


@dataclass(frozen=True)
class ShardAccount:
    """Pairs of one shard by action: keep, mask, recaption, quarantine, reject."""

    name: str
    actions: Mapping[str, int]

    @property
    def pairs(self) -> int:
        """All pairs of the shard."""
        return sum(self.actions.values())


@dataclass(frozen=True)
class Accounting:
    """Where every pair went. `rejected` counts pairs by the reason of their rejection, `ended` shards by why they were not read on."""

    shards: tuple[ShardAccount, ...]
    rejected: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)

    @property
    def actions(self) -> dict[str, int]:
        """Pairs of all shards by action."""
        total: dict[str, int] = {}
        for shard in self.shards:
            for action, count in shard.actions.items():
                total[action] = total.get(action, 0) + count
        return total

    @property
    def pairs(self) -> int:
        """All pairs that came in."""
        return sum(shard.pairs for shard in self.shards)


@dataclass(frozen=True)
class PolicyFigures:
    """The learned policy against a control on held-out synthetic images; `coverage` is the share of their triggers that it hides."""

    comparison: AgainstControl
    control: str = "random"
    coverage: Interval | None = None


@dataclass(frozen=True)
class MaskCounts:
    """How often each action was chosen on the suspect set. `sizes` in fractions of the shorter side; `counts` (sizes, rows, columns)."""

    sizes: tuple[float, ...]
    counts: Grid
    unmasked: int = 0


@dataclass(frozen=True)
class GalleryItem:
    """One decided pair, to look at. `after` is None where the image did not change or was withheld; `scores` are by evidence channel.

    `word` is the one that speaks most against the pair itself; `told` the verdict's word, where the caption holds it.
    """

    pair: str
    before: Image
    after: Image | None
    caption_before: str
    caption_after: str
    action: str
    reason: str
    scores: Mapping[str, float] = field(default_factory=dict)
    word: str = ""
    told: str = ""


@dataclass(frozen=True)
class QMap:
    """Action values on one image: `values` (sizes, rows, columns), "no mask" is 0; `chosen` None for "no mask"."""

    pair: str
    image: Image
    sizes: tuple[float, ...]
    values: Grid
    chosen: Mask | None = None


@dataclass(frozen=True)
class Attention:
    """Where models look when the target is said, on images with the trigger. `sheet`: a row an image; see `srd_core.stages.attention`.

    Shares of the maps that lie on the trigger, and of the image that the trigger covers; None where it has no one place. `difference` is
    the backdoored model's share less the clean one's, image by image, `appearing` less its own of the images without the trigger.
    """

    sheet: Image
    backdoored: Interval | None = None
    clean: Interval | None = None
    area: float | None = None
    difference: Interval | None = None
    appearing: Interval | None = None


@dataclass(frozen=True)
class OperatingPoint:
    """Where the thresholds of evidence lie, set without the truth: thresholds by channel, recall on self-injected poisons by kind.

    `flagged` is the share of the `pairs` trusted ones that they flag, `unused` are the channels that got no share of the `budget`.
    """

    budget: float
    pairs: int
    thresholds: Mapping[str, float]
    expected_recall: Mapping[str, Interval | float] = field(default_factory=dict)
    flagged: float | None = None
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """What the run depended on: digest by input (as in RUN.json), digest of the configuration, version by package.

    `places` say where each input lay, `settings` what a reader wants to know of the configuration.
    """

    inputs: Mapping[str, str]
    configuration: str
    versions: Mapping[str, str]
    places: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportData:
    """One report. `handed_back` is the arm whose shards, decisions and model the user gets.

    `reasons` explains what is missing: its keys are names of figures of `scores` (`asr`, `sfs`, …) and of the optional parts below.
    """

    title: str
    verdict: Verdict
    accounting: Accounting
    provenance: Provenance
    handed_back: str
    scores: Scores = field(default_factory=Scores)
    curve: LearningCurve | None = None
    policy: PolicyFigures | None = None
    masks: MaskCounts | None = None
    gallery: tuple[GalleryItem, ...] = ()
    q_maps: tuple[QMap, ...] = ()
    words: tuple[WordEvidence, ...] = ()
    surplus: tuple[FrequentWord, ...] = ()
    attention: Attention | None = None
    calibration: OperatingPoint | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
