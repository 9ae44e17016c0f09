"""The control that is told where triggers are: it covers them, and nobody else is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import numpy as np
import pytest

from srd_core.config import Arm, OracleConfig, load_config
from srd_core.defences.base import Batch
from srd_core.defences.covering import CoverTriggers, smallest
from srd_core.errors import ConfigError, SourceError
from srd_core.policy.masks import ActionSpace, Mask, box
from srd_core.policy.random_policy import RandomPolicy
from srd_core.stages.cover import COVER
from srd_core.stages.evidence_found import DecisionRows
from srd_core.stages.files import shards_of
from srd_core.stages.named import check_named
from srd_core.stages.stage import Run
from srd_core.stages.truth import coverage_by_masks
from tasks import pipeline as tasks
from tasks.stage_task import Perform
from tests.stages.conftest import Pipeline


def details(pipeline: Pipeline) -> dict[str, object]:
    return {"arm": "covered", "shards": [shard.name for shard in shards_of(pipeline.make("source"))]}


def told(pipeline: Pipeline) -> Run:
    config = pipeline.run.config
    evaluation = config.evaluation.model_copy(update={"truth": str(pipeline.truth.report)})
    return replace(
        pipeline.run, config=config.model_copy(update={"oracle": OracleConfig(truth=str(pipeline.truth.report)), "evaluation": evaluation})
    )


def test_every_trigger_is_hidden_and_every_image_masked(pipeline: Pipeline, tmp_path: Path) -> None:
    run = told(pipeline)
    made = COVER.execute(run, pipeline.inputs("source"), details(pipeline))
    rows = list(DecisionRows([made], tmp_path))
    assert {row.action for row in rows} == {"mask"}
    poisoned = {pair.id for pair in pipeline.truth.poisoned}
    assert {row.pair for row in rows if row.reason == "its trigger is covered"} == poisoned
    assert coverage_by_masks(run, {"covered": rows})["coverage_in_data"]["covered"]["value"] == 1
    assert len({(row.mask_x, row.mask_y) for row in rows if row.pair not in poisoned}) > 10
    assert not coverage_by_masks(run, {"collision-srd": rows}), "captions there are with other images"


def test_it_is_the_one_arm_whose_task_is_told(pipeline: Pipeline) -> None:
    stages = {arm: cast(Perform, tasks.cleanse(pipeline.run, arm).fn).stage for arm in get_args(Arm)}
    assert {arm for arm, stage in stages.items() if "oracle.truth" in stage.reads} == {"covered"}


def test_without_being_told_it_says_what_it_is(pipeline: Pipeline) -> None:
    asked = load_config("test", overrides=["retrain.arms=[none, covered]"])
    with pytest.raises(ConfigError, match="was not told where they are"):
        check_named(asked)
    with pytest.raises(SourceError, match="no list of poisoned pairs at /nowhere"):
        check_named(asked.model_copy(update={"oracle": OracleConfig(truth="/nowhere/list.json")}))


@pytest.mark.parametrize("shape", [(64, 64), (90, 160), (160, 90)])
def test_the_smallest_mask_that_hides_a_trigger_is_taken(shape: tuple[int, int]) -> None:
    space, short = ActionSpace(), min(shape)
    for x, y, side in ((0, 0, 4), (shape[1] - 8, shape[0] - 8, 8), (20, 20, 12)):
        place = (x / short, y / short, (x + side) / short, (y + side) / short)
        mask = smallest(space, place, shape)
        x0, y0, x1, y1 = box(mask, *shape)
        assert x0 <= x and y0 <= y and x1 >= x + side and y1 >= y + side
        smaller = [other for action in range(space.masks) if (other := space.decode(action)) and other.size < mask.size]
        assert not any(hides(other, place, shape) for other in smaller)


def hides(mask: Mask, place: tuple[float, ...], shape: tuple[int, int]) -> bool:
    short = min(shape)
    (x, y, size), (left, top, right, bottom) = mask.fields(*shape), place
    across = max(min(x + size / 2, right) - max(x - size / 2, left), 0)
    down = max(min(y + size / 2, bottom) - max(y - size / 2, top), 0)
    x0, y0, x1, y1 = (edge / short for edge in box(mask, *shape))
    whole = x0 <= left and y0 <= top and x1 >= right and y1 >= bottom
    return whole and across * down >= 0.9 * (right - left) * (bottom - top)


def test_of_a_trigger_that_no_mask_hides_the_most_is_hidden() -> None:
    mask = smallest(ActionSpace(), (0.0, 0.0, 0.6, 0.6), (64, 64))
    assert mask.size == max(ActionSpace().sizes) and box(mask, 64, 64)[2] <= 39


def test_a_trigger_that_fills_the_frame_is_masked_at_random() -> None:
    images = np.zeros((1, 16, 16, 3), np.uint8)
    policy = RandomPolicy(seed=3)
    (decision,) = CoverTriggers({"a": None}, policy).decide(Batch(images, [("x",)], [("a",)], [(16, 16)]))
    assert decision.mask == policy.choose(images)[0].mask and decision.pairs[0].reason == "every image is masked"
