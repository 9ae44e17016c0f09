"""What people call arms and evidence channels: one name each, the same on every part of the page."""

from __future__ import annotations

import re

from srd_core.report.text import CAPTION, NAME, visible

_BY_IMAGE = " by image"

CHANNELS = {
    "nll_mean": "surprise per token",
    "nll_max": "most surprising word",
    "infidelity": "misfit (1 − SFS)",
    "q_gain": "gain of a mask",
}

ARMS = {
    "none": "as it came",
    "random": "random masks",
    "srd": "the policy's masks (the paper's SRD)",
    "evidence": "evidence",
    "covered": "triggers covered, by one who knows them",
    "untreated": "as it came, trained like the others",
    "collision": "captions joined to other images",
    "collision-random": "joined to other images, random masks",
    "collision-srd": "joined to other images, the policy's masks",
    "augment": "images changed at random",
    "finetune": "afterwards trained on trusted pairs",
    "drop": "a part withheld at random",
}
"""Others go by their own names, which are those of published defences."""


def channel(name: str) -> str:
    """The label of an evidence channel."""
    return CHANNELS.get(name, visible(name, NAME))


def arm(name: str) -> str:
    """The label of an arm."""
    return ARMS.get(name, visible(name, NAME))


def detector(name: str) -> tuple[str, str, str]:
    """Arm, score (empty where the arm has one only) and unit of what `Scores.detection` calls `ARM/SCORE` or `ARM/SCORE by image`."""
    of_pairs = name.removesuffix(_BY_IMAGE)
    arm, _, score = of_pairs.partition("/")
    return arm, score, name.removeprefix(of_pairs)


def reason(text: str) -> str:
    """The reason of a decision; where it is a channel that was over its threshold, that is said in words."""
    first = re.split("[,;]", text, maxsplit=1)[0]
    return visible(f"{CHANNELS[first]} above its limit{text[len(first) :]}" if first in CHANNELS else text, CAPTION)
