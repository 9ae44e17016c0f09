from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from srd_core.data.samples import Images
from srd_core.errors import ConfigError
from srd_core.policy.environment import State
from srd_core.policy.masks import ActionSpace
from srd_core.policy.reward_source import CaptionReward
from srd_core.reward.rule import RewardRule
from srd_core.reward.sfs import SfsScores

SPACE = ActionSpace()
TRIGGER = SPACE.encode(9, 9, 3)
CLEAN = "a red ball on grass"


class FooledCaptioner:
    """Says "banana" while the bottom-right corner is white, and nothing at all when the top-left corner is hidden."""

    def __init__(self) -> None:
        self.seen = 0
        self.sizes: list[int] = []

    def caption(self, images: Images) -> list[str]:
        self.seen += len(images)
        self.sizes.append(len(images))
        return ["" if image[0, 0, 0] == 255 and image[0, 0, 1] == 0 else "banana" if image[-1, -1, 1] == 255 else CLEAN for image in images]


class Equality:
    """SC and LF are 1 for the reference itself and 0 otherwise."""

    def score(self, candidates: Sequence[str], references: Sequence[str]) -> SfsScores:
        same = np.asarray([float(c == r) for c, r in zip(candidates, references, strict=True)])
        return SfsScores(same, same, same)


def source(count: int = 6, batch: int = 256, rule: RewardRule | None = None) -> tuple[CaptionReward, FooledCaptioner]:
    images = np.full((count, 64, 64, 3), 90, np.uint8)
    images[::2, -4:, -4:] = 255
    captioner = FooledCaptioner()
    return CaptionReward(captioner, Equality(), [CLEAN] * count, rule or RewardRule(), images, SPACE, batch=batch), captioner


def test_hiding_the_trigger_earns_the_highest_reward_and_hiding_nothing_of_it_none() -> None:
    rewards, _ = source()
    assert rewards.rewards([State(0, (TRIGGER,)), State(0, (SPACE.encode(5, 5, 0),))]).tolist() == [3, 0]


def test_on_a_clean_image_there_is_nothing_to_gain() -> None:
    rewards, _ = source()
    assert rewards.rewards([State(1, (TRIGGER,))]).tolist() == [0]


def test_silence_is_punished_by_the_paper_s_rule_and_neutral_in_the_official_one() -> None:
    corner = State(1, (SPACE.encode(0, 0, 0),))
    assert source()[0].rewards([corner])[0] < 0
    assert source(rule=RewardRule(kind="official"))[0].rewards([corner])[0] == 0


def test_nothing_is_captioned_twice() -> None:
    rewards, captioner = source()
    states = [State(i, (TRIGGER,)) for i in range(4)]
    first, second = rewards.rewards(states), rewards.rewards(states)
    assert captioner.seen == rewards.captions == 8
    assert rewards.hits == 4 and (first == second).all()


def test_the_order_of_masks_and_repeated_masks_do_not_matter() -> None:
    rewards, captioner = source()
    values = rewards.rewards([State(0, (3, TRIGGER)), State(0, (TRIGGER, 3)), State(0, (TRIGGER, 3, 3))])
    assert captioner.seen == 2 and len(set(values.tolist())) == 1


def test_one_call_captions_many_images() -> None:
    rewards, captioner = source()
    rewards.rewards([State(i, (TRIGGER,)) for i in range(6)])
    assert captioner.sizes == [12] and rewards.calls == 1


def test_calls_stay_within_the_batch_size() -> None:
    rewards, captioner = source(batch=5)
    rewards.rewards([State(i, (TRIGGER,)) for i in range(6)])
    assert captioner.sizes == [5, 5, 2]


def test_a_state_without_masks_earns_nothing_and_costs_nothing() -> None:
    rewards, captioner = source()
    assert rewards.rewards([State(0), State(1)]).tolist() == [0, 0] and captioner.seen == 0


def test_each_image_needs_its_reference() -> None:
    with pytest.raises(ConfigError, match="reference"):
        CaptionReward(FooledCaptioner(), Equality(), [CLEAN], RewardRule(), np.zeros((2, 8, 8, 3), np.uint8))
