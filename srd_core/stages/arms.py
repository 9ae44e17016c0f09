"""What each arm needs to be told before it can treat the suspect set."""

from __future__ import annotations

from typing import get_args

from srd_core.config import Arm, Joined, Repair, Screen

SCREENS: tuple[Screen, ...] = get_args(Screen)

TOLD: frozenset[str] = frozenset(("abl-oracle", "covered"))
"""Controls that are told what no defender knows: the configuration's `oracle`."""

JOINED: tuple[Arm, ...] = get_args(Joined)
"""Arms whose captions are not with their own images."""

UNTOUCHED: tuple[Arm, ...] = ("none", "untreated", "collision", *get_args(Repair))
"""Arms that decide nothing."""

NEEDS: dict[Arm, tuple[str, ...]] = {
    **{arm: () for arm in UNTOUCHED},
    "random": (),
    "collision-random": (),
    "covered": (),
    "srd": ("policy",),
    "collision-srd": ("policy",),
    "evidence": ("weighed", "consensus", "pictures"),
    **{screen: ("screen",) for screen in SCREENS},
}
"""Inputs of each arm besides the source."""
