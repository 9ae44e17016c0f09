"""Which models a run trains and compares."""

from __future__ import annotations

from srd_core.config import Arm, Config, Protocol
from srd_core.stages.arms import NEEDS


def arms_of(config: Config) -> list[Arm]:
    """The arms to compare and the one to hand back; `none` too when its model is needed: as the start of P2, to probe the policy."""
    needed = "p2" in config.retrain.protocols or "finetune" in config.retrain.arms or config.evaluation.attack
    start: tuple[Arm, ...] = ("none",) if needed else ()
    return list(dict.fromkeys((*start, *config.retrain.arms, config.cleanse.mode)))


def learns_policy(config: Config) -> bool:
    """Whether anything that is asked for needs a policy: masks where one says, or evidence with a channel that asks one."""
    from srd_core.defences.channels.base import get

    arms = arms_of(config)
    asked = "evidence" in arms and any(get(name).asks_policy for name in config.evidence.channels)
    return asked or any("policy" in NEEDS[arm] for arm in arms) or config.bounds > 0


def models_of(config: Config) -> list[tuple[Arm, Protocol]]:
    """What is trained, in an order in which every start exists: all P1 models, then P2 where asked for; `finetune` is P2 always."""
    arms = arms_of(config)
    second = [arm for arm in arms if arm != "none" and (arm == "finetune" or "p2" in config.retrain.protocols)]
    return [*((arm, "p1") for arm in arms if arm != "finetune"), *((arm, "p2") for arm in second)]
