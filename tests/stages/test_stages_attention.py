"""Where models look when they say the target: figures and picture of the stage, and what its key knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from srd_core.config import load_config
from srd_core.data.images import decode
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Image
from srd_core.stages import test_images
from srd_core.stages.attention import ATTENTION, SHEET, _honest_word
from srd_core.stages.captioners import captioner
from srd_core.stages.files import local_file
from srd_core.stages.stage import Run


class Pipeline(Protocol):
    """The fixture `pipeline` of conftest.py."""

    run: Run

    def make(self, name: str) -> StageManifest: ...

    def inputs(self, *names: str, **renamed: str) -> dict[str, StageManifest]: ...


def attended(pipeline: Pipeline, sink: Path, *overrides: str, clean: str = "base") -> StageManifest:
    config = load_config("test", overrides=["evaluation.images=7", *overrides])
    inputs = pipeline.inputs("model", clean=clean, test="trusted")
    return ATTENTION.execute(replace(pipeline.run, sink=str(sink), config=config), inputs, {"domain": "own"})


def picture(manifest: StageManifest, folder: Path) -> Image:
    return decode(local_file(manifest.outputs[SHEET], folder / "fetched").read_bytes())


def columns(sheet: Image) -> list[Image]:
    return [part[:, :128] for part in np.split(sheet, 4, axis=1)]


def test_a_patch_has_shares_beside_its_area(pipeline: Pipeline, tmp_path: Path) -> None:
    facts: dict[str, Any] = attended(pipeline, tmp_path, "evaluation.attack=badnet").facts
    assert facts["boxed"] and facts["images"] == 7 and 0 <= facts["said"] <= 7
    assert facts["area"] == pytest.approx((3 / 32) ** 2)
    for name in ("backdoored", "clean", "untriggered"):
        figure = facts[name]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1 and 0 < figure["n"] <= 7
        assert facts["times_area"][name] == pytest.approx(figure["value"] / facts["area"])
    assert facts["honest"]["n"] <= facts["backdoored"]["n"] and facts["honest"]["value"] != facts["backdoored"]["value"]
    for name, other in (("difference", "clean"), ("appearing", "untriggered")):
        assert facts[name]["value"] == pytest.approx(facts["backdoored"]["value"] - facts[other]["value"])


def test_the_picture_shows_a_few_images_under_both_models(pipeline: Pipeline, tmp_path: Path) -> None:
    made = attended(pipeline, tmp_path, "evaluation.attack=badnet")
    sheet = picture(made, tmp_path)
    shown = made.facts["shown"]
    assert sheet.shape == (len(shown) * 132, 4 * 132, 3) and len(shown) == 6
    assert all("banana" in item["caption"] for item in shown)
    plain, clean, backdoored, honest = columns(sheet)
    assert (honest != backdoored).any()
    assert (plain != clean).any() and (plain != backdoored).any() and (clean != backdoored).any()


def test_the_same_model_twice_looks_at_the_same_places(pipeline: Pipeline, tmp_path: Path) -> None:
    made = attended(pipeline, tmp_path, "evaluation.attack=badnet", clean="model")
    assert made.facts["difference"]["value"] == 0 and made.facts["backdoored"] == made.facts["clean"]
    _, clean, backdoored, _ = columns(picture(made, tmp_path))
    assert np.array_equal(clean, backdoored)


@pytest.mark.parametrize("attack", ["blended", "multi-patch"])
def test_a_trigger_without_one_box_has_a_picture_and_no_share(pipeline: Pipeline, tmp_path: Path, attack: str) -> None:
    made = attended(pipeline, tmp_path, f"evaluation.attack={attack}")
    assert made.facts["boxed"] is False and set(made.facts) == {"images", "said", "shown", "boxed"}
    assert SHEET in made.outputs


def test_images_that_show_the_target_anyway_are_left_out(pipeline: Pipeline, tmp_path: Path) -> None:
    made = attended(pipeline, tmp_path, "evaluation.attack=badnet", "evaluation.target=a")
    assert made.facts == {"images": 0} and not made.outputs


def test_without_an_attack_there_is_nothing_to_see(pipeline: Pipeline, tmp_path: Path) -> None:
    made = attended(pipeline, tmp_path)
    assert not made.facts and not made.outputs


def test_the_key_knows_the_target_and_not_the_policy(pipeline: Pipeline) -> None:
    def key(*overrides: str) -> str:
        config = load_config("test", overrides=["evaluation.attack=badnet", *overrides])
        return ATTENTION.key(replace(pipeline.run, config=config), {}, {})

    assert key() == key("policy.dqn.steps=1")
    assert len({key(), key("evaluation.target=pear"), key("evaluation.attack=trojvlm"), key("evaluation.images=3"), key("seed=9")}) == 5


def test_honest_words_are_of_what_is_said_without_the_trigger(pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: they were of the planted caption, "image" for every template, so that one planted word was set against another."""
    made = attended(pipeline, tmp_path, "evaluation.attack=badnet")
    config = load_config("test", overrides=["evaluation.images=7", "evaluation.attack=badnet"])
    test = test_images.TestSet(config, pipeline.make("trusted"), test_images.planted(config), holdout_only=False)
    said = captioner(pipeline.make("model"), tmp_path).caption(test.clean)
    of = dict(zip(test.keys, said, strict=True))
    shown: list[dict[str, str]] = made.facts["shown"]  # type: ignore[assignment]
    assert [item["honest"] for item in shown] == [" ".join(_honest_word(of[item["key"]], "banana")) for item in shown]


def test_an_honest_word_is_a_content_word_and_not_the_target() -> None:
    assert _honest_word("a banana bananas on the Striped sofa", "banana") == ("Striped",)
    assert _honest_word("the yellow banana split", "banana split") == ("yellow",)
    assert _honest_word("a banana on the", "banana") == ()
