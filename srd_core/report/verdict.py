"""The answer to "is this data poisoned?", in five lines for people and a few figures for machines.

It rests on two facts only: how many pairs were flagged against the false-positive budget, and whether one word stands behind the flags,
or has images that share a picture. A word that flagged pairs share without its standing out makes the data suspicious, no more.
The truth about poisoned pairs is never an input. Where an experiment measured what a trigger does to the retrained model, a line says so,
without influence on the status. Not covered: attacks that leave captions plausible; the last line always says what may have gone unseen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from srd_core.report.text import NAME, visible
from srd_core.scoring.excess import excess_p_value, least_significant, log_likelihood_ratio
from srd_core.scoring.intervals import Figure, Interval, wilson

Status = Literal["no sign of poison", "suspicious", "poisoned", "not judged"]

LEVEL = 0.01
"""Largest p-value at which flags count as more than false positives."""

CONCENTRATED = 0.1
"""A word is concentrated when the lower 95 % limit of its share of the flags is above this, …"""

FEWEST = 5
"""… and at least this many flags name it."""

_STRICT = ConfigDict(extra="forbid", frozen=True)


class WordEvidence(BaseModel):
    """One suspicious word: the captions of `flagged` flagged pairs hold it, and of `pairs` pairs at all."""

    model_config = _STRICT

    word: str
    flagged: int = Field(ge=1)
    pairs: int = Field(ge=1)


class BackdoorEffect(BaseModel):
    """What an experiment measured: attack success of models retrained on the data as it came, and as handed back."""

    model_config = _STRICT

    before: Interval
    after: Interval
    protocol: str = Field(description="P1 retrained from base, P2 continued from the backdoored checkpoint")
    attacker_trains: bool = Field(default=False, description="before: the model that an attacker trained")


class VerdictFigures(BaseModel):
    """The figures behind a verdict; rates are fractions."""

    model_config = _STRICT

    pairs: int
    flagged: int
    flagged_share: Interval
    budget: float = Field(description="false-positive rate that the thresholds were set for")
    p_value: float = Field(description="probability of as many flags among clean pairs")
    detectable_share: Figure = Field(description="smallest share of poisoned pairs whose flags would have been significant")
    blind_to: tuple[str, ...] = Field(default=(), description="kinds of injected poison of which no share's flags would have been")
    word: str | None = Field(description="most telling suspicious word")
    word_flagged: int
    word_share: Interval
    word_concentrated: bool
    second_look: int = Field(default=0, description="further pairs, condemned because they hold a word that flagged pairs share")
    shared_word: str | None = Field(default=None, description="the word of most of these")
    pictured: int = Field(default=0, description="further pairs, condemned because their images show what those of a word share")
    picture_word: str | None = Field(default=None, description="the word of most of these")
    said_again: int = Field(default=0, description="pairs withheld because their new caption would say a planted word")
    unseen: int = Field(default=0, description="pairs that could be read, but whose image no detector could look at; none of `pairs`")
    silent: str = Field(default="", description="why no picture that images share could be looked for; empty if it could")
    unlike: float | None = Field(default=None, description="distance of the pairs left alone from the trusted ones, if beyond chance")
    backdoor: BackdoorEffect | None = None

    @property
    def behind(self) -> str | None:
        """The word that the verdict names as standing behind flags, pictures or condemned pairs; None where none stands out."""
        if self.word_concentrated:
            return self.word
        return self.picture_word if self.by_pictures else self.shared_word if self.second_look >= FEWEST else None

    @property
    def by_pictures(self) -> bool:
        """Whether only what images share speaks of that word."""
        return self.pictured >= FEWEST and not self.word_concentrated


class Verdict(BaseModel):
    """`verdict.json`."""

    model_config = _STRICT

    status: Status
    lines: tuple[str, str, str, str, str]
    figures: VerdictFigures


@dataclass(frozen=True)
class Findings:
    """What the evidence said.

    Args:
        pairs: pairs that were judged (rejected ones are not).
        flagged: pairs above the threshold.
        budget: false-positive rate that the thresholds were set for.
        words: suspicious words of the flagged pairs, in any order.
        calibrated_on: trusted pairs that the thresholds were set on.
        recall: share of each kind of injected poison that the thresholds flag; without it all poison is taken to be flagged.
        shared: further pairs that were condemned because they hold a word that flagged ones share, by word.
        pictured: further pairs that were condemned because their images show what those of a word share, by word.
        said_again: pairs that were withheld because their new caption would say a planted word.
        unseen: pairs that could be read, but not looked at; they are none of `pairs`.
        silent: why the look at pictures could look for nothing.
        unlike: how far the pairs that were left alone lie from the trusted ones, where that is more than chance makes of it.

    Raises:
        ValueError: no pairs, or more flags than pairs.
    """

    pairs: int
    flagged: int
    budget: float
    words: Sequence[WordEvidence] = ()
    calibrated_on: int | None = None
    recall: Mapping[str, float] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)
    pictured: Mapping[str, int] = field(default_factory=dict)
    said_again: int = 0
    unseen: int = 0
    unlike: float | None = None
    silent: str = ""

    def __post_init__(self) -> None:
        if self.pairs < 1 or not 0 <= self.flagged <= self.pairs or not 0 < self.budget < 1:
            told = f"{self.flagged} flags among {self.pairs} pairs with a false-positive budget of {self.budget}"
            raise ValueError(f"no verdict on {told}")


def decide(
    found: Findings,
    *,
    actions: Mapping[str, int] | None = None,
    ended: int = 0,
    backdoor: BackdoorEffect | None = None,
    weighed: bool = True,
) -> Verdict:
    """Reach a verdict.

    Args:
        found: what the evidence said.
        actions: pairs by action taken, for the third line.
        ended: shards that were not read to their end.
        backdoor: what an experiment measured.
        weighed: whether evidence was looked for at all; without it nothing is said about poison.
    """
    figures = _figures(found, backdoor)
    status = _status(figures) if weighed else "not judged"
    lines = (
        _headline(status, figures),
        _about_word(figures),
        _done(actions, ended, found),
        _effect(backdoor),
        _unseen(status, figures),
    )
    return Verdict(status=status, lines=lines, figures=figures)


def _figures(found: Findings, backdoor: BackdoorEffect | None) -> VerdictFigures:
    pairs, flagged, budget = found.pairs, found.flagged, found.budget
    top = min(found.words, key=lambda item: (-log_likelihood_ratio(item.flagged, item.pairs, flagged / pairs), item.word), default=None)
    count = min(top.flagged, flagged) if top else 0
    share = wilson(count, flagged)
    shared, pictured = Counter(found.shared), Counter(found.pictured)
    needed = least_significant(pairs, budget, LEVEL, found.calibrated_on) / pairs
    least = {kind: _least_share(needed, budget, recall) for kind, recall in (found.recall or {"all poison": 1.0}).items()}
    return VerdictFigures(
        pairs=pairs,
        flagged=flagged,
        flagged_share=wilson(flagged, pairs),
        budget=budget,
        p_value=excess_p_value(flagged, pairs, budget, found.calibrated_on),
        detectable_share=max((share for share in least.values() if not math.isnan(share)), default=math.nan),
        blind_to=tuple(sorted(kind for kind in found.recall if math.isnan(least[kind]))) if needed <= 1 else (),
        word=visible(top.word, NAME) if top else None,
        word_flagged=count,
        word_share=share,
        word_concentrated=count >= FEWEST and share.low > CONCENTRATED,
        second_look=shared.total(),
        shared_word=_most(shared),
        pictured=pictured.total(),
        picture_word=_most(pictured),
        said_again=found.said_again,
        unseen=found.unseen,
        silent=found.silent,
        unlike=found.unlike,
        backdoor=backdoor,
    )


def percent(value: float) -> str:
    """A fraction for people: `12.3 %`, `0.53 %`; `unknown` for NaN."""
    if math.isnan(value):
        return "unknown"
    share = 100 * value
    return f"{share:.0f} %" if share >= 99.95 or share == 0 else f"{share:.1f} %" if share >= 1 else f"{share:.2g} %"


def _least_share(needed: float, budget: float, recall: float) -> float:
    """The share of poisoned pairs from which on a share `needed` of all is flagged, where `recall` of them and `budget` of the others are.

    NaN where not even poison alone would be enough.
    """
    if needed > max(recall, budget):
        return math.nan
    return max((needed - budget) / (recall - budget), 0.0) if recall > budget else math.nan


def _most(words: Counter[str]) -> str | None:
    return next((visible(word, NAME) for word, _ in words.most_common(1)), None)


def _status(figures: VerdictFigures) -> Status:
    excess = figures.p_value < LEVEL
    target = figures.word_concentrated or figures.pictured >= FEWEST
    if excess and target:
        return "poisoned"
    return "suspicious" if excess or target or figures.second_look >= FEWEST else "no sign of poison"


def _headline(status: Status, figures: VerdictFigures) -> str:
    if status == "not judged":
        return f"Not judged: the evidence against {figures.pairs:,} pairs was not weighed, so nothing is said about poison."
    said = status.capitalize()
    more = "more than" if figures.p_value < LEVEL else "no more than"
    further = figures.second_look + figures.pictured
    return (
        f"{said}: {figures.flagged:,} of {figures.pairs:,} pairs ({percent(figures.flagged / figures.pairs)}) were flagged, "
        f"{more} the false-positive budget of {percent(figures.budget)} explains"
        f"{f'; the look at the whole set condemned {further:,} more' if further else ''}."
    )


def _about_word(figures: VerdictFigures) -> str:
    pictures = f"the images of {figures.pictured:,} pairs that nothing else speaks against share a picture, which is what a trigger leaves"
    if figures.by_pictures:
        return f"Most telling word: “{figures.picture_word}”; {pictures}."
    more = f"far more often than chance has it, and so do {figures.second_look:,} more"
    if figures.word is None and figures.shared_word is not None:
        return f"Most telling word: “{figures.shared_word}”; flagged pairs hold it {more}."
    if figures.word is None:
        return "No suspicious word was named."
    start = f"Most telling word: “{figures.word}”, in {figures.word_flagged:,} of {figures.flagged:,} flags"
    share = percent(figures.word_flagged / max(figures.flagged, 1))
    if figures.word_concentrated:
        judged = "one word behind the flags is what a planted target looks like" + (f", and {pictures}" if figures.pictured else "")
    elif figures.shared_word is not None:
        judged = f"flagged pairs hold “{figures.shared_word}” {more}"
    else:
        judged = "no word stands out"
    return f"{start} ({share}); {judged}."


def _done(actions: Mapping[str, int] | None, ended: int, found: Findings) -> str:
    names = {"keep": "kept", "mask": "masked", "recaption": "recaptioned", "quarantine": "quarantined", "reject": "rejected as unreadable"}
    parts = [f"{count:,} {names[name]}" for name in names if (count := (actions or {}).get(name, 0))]
    again = f" Of the quarantined, {found.said_again:,} would have got a new caption that says a planted word." if found.said_again else ""
    unseen = f" {found.unseen:,} were not judged, since their image could not be looked at." if found.unseen else ""
    lost = f" Shards that were not read to their end: {ended:,}; what follows there is not counted." if ended else ""
    return (f"Pairs: {', '.join(parts)}." if parts else "No action was recorded.") + again + unseen + lost


def _effect(backdoor: BackdoorEffect | None) -> str:
    if backdoor is None:
        return "What a trigger does to a model trained on cleansed data was not measured: that takes a known attack, and cleansed data."
    before, after = (f"{percent(item.value)} ({percent(item.low)} to {percent(item.high)})" for item in (backdoor.before, backdoor.after))
    way = visible(backdoor.protocol, NAME).upper()
    if backdoor.attacker_trains:
        return f"The attacker's model obeys the trigger on {before} of the test images; one trained on cleansed data, on {after} ({way})."
    return f"Trained on the data as it came, a model obeys the trigger on {before} of the test images; after cleansing, on {after} ({way})."


def _unseen(status: Status, figures: VerdictFigures) -> str:
    if status == "not judged":
        return "Take the data for suspicious until it is: set cleanse.mode to evidence, or name evidence among retrain.arms."
    share = figures.detectable_share
    small = "" if figures.blind_to else "poison in so small a set"
    room = small if math.isnan(share) else f"poison in fewer than {percent(share)} of the pairs"
    advice = {
        "no sign of poison": "Read a few flagged pairs before trusting this",
        "suspicious": "Look at the flagged pairs before training on this data",
        "poisoned": "Train on what was cleansed, if at all, and not on the data as it came",
    }[status]
    blind = f"in any number, captions like these that were tried: {', '.join(figures.blind_to)}" if figures.blind_to else ""
    far = figures.unlike
    unlike = "" if far is None else f" The pairs left alone are unlike the trusted ones too ({far:.2f}): some flags will be due to that."
    pictures = f"a trigger that is always the same, for which nobody could look ({figures.silent})" if figures.silent else ""
    unseen = "; ".join(filter(None, (room, blind, pictures)))
    return f"{advice}.{unlike} What may go unseen: {unseen}; attacks whose captions fit their images."
