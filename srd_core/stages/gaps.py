"""Why a part of the page is empty: not asked for, not possible, or looked for and not there."""

from __future__ import annotations

from collections.abc import Collection

from srd_core.config import Arm, Config
from srd_core.stages.stage import Inputs


def gaps(config: Config, inputs: Inputs, arms: Collection[Arm], shown: Arm) -> dict[str, str]:
    """A reason for every part and figure that may be missing, by its name in `ReportData`.

    Args:
        config: of the run.
        inputs: of the stage that writes the page.
        arms: those that treated the data.
        shown: the one whose decisions the page shows.
    """
    attack = "nothing could be tested: the references of all test images hold the target" if config.evaluation.attack else None
    unasked = None if "evidence" in arms else "evidence was not asked for"
    unlearned = None if "policy" in inputs else "nothing that was asked for needs a policy, so none was learned"
    return {
        **dict.fromkeys(("asr", "asr_raw", "false_trigger", "attention"), attack or "no attack was named; that of real data is not known"),
        "detection": "the truth is known in experiments only",
        "models": "no model was retrained",
        **dict.fromkeys(("policy", "curve"), unlearned or "the policy left no figures of its learning"),
        "masks": unlearned or "no arm that masks where the policy says was asked for",
        "q_maps": unlearned or f"the policy was not asked about the data of arm {shown}",
        "calibration": unasked or "no thresholds were set",
        "words": unasked or "flagged pairs share no word more often than chance has it",
        "gallery": "no pair was changed or withheld",
    }
