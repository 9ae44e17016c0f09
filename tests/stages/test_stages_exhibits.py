"""Pictures for the page: as small as they are shown, whatever the size of the originals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from srd_core.config import Config
from srd_core.data.decisions import Decision
from srd_core.data.images import encode
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.defences.calibration import Calibration
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.masks import ActionSpace
from srd_core.policy.policy import Choice
from srd_core.stages import exhibits, inventory
from srd_core.stages.stage import Run

KEYS = [f"{number:02d}" for number in range(40)]
LIMITS = Calibration(
    thresholds={"nll_max": 7.0, "infidelity": 0.5},
    scales={"nll_max": 1.0, "infidelity": 0.1},
    budget={},
    pairs=100,
    clean_flagged=0,
    recall={},
)


def test_what_is_kept_of_an_image_is_small_and_its_mask_in_its_place(tmp_path: Path) -> None:
    with (tmp_path / "s.tar").open("wb") as file, ShardWriter(file) as writer:
        for key in ("a", "b", "z"):
            writer.write(Sample("s", key, encode(np.full((600, 1200, 3), 90, np.uint8), "jpg"), "jpg", ("x",)))
    run = Run(str(tmp_path), "", "", Config())
    rows = [Decision("s", key, f"s/{key}#0", "mask", "as told", mask_x=0.5, mask_y=0.5, mask_size=0.5) for key in ("a", "b")]
    first, second = exhibits.gallery(run, inventory.take(run, "source"), rows)
    assert first.before.shape == second.before.shape == (128, 256, 3)
    assert first.after is not None
    red = np.argwhere((first.after == (255, 0, 0)).all(axis=2))
    assert red.min(axis=0).tolist() == [32, 32] and red.max(axis=0).tolist() == [95, 95]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Over one shard of forty images."""
    with (tmp_path / "s.tar").open("wb") as file, ShardWriter(file) as writer:
        for key in KEYS:
            writer.write(Sample("s", key, encode(np.full((8, 8, 3), 90, np.uint8), "png"), "png", ("x",)))
    return Run(str(tmp_path), "", "", Config())


def flagged(key: str, caption: str, surprise: float, image: str = "") -> Decision:
    return Decision(
        "s", key, f"s/{key}#0", "recaption", "nll_max", score_nll_max=surprise, score_sfs=0.75, caption_before=caption,
        image_sha256_before=image or key,
    )  # fmt: skip


def test_pairs_that_lack_the_verdicts_word_are_shown_too(run: Run) -> None:
    """Regression: the most surprising pairs were shown, all of the planted word, and no false positive among them."""
    planted = [flagged(key, f"a Banana of kind {key}", 90 + i) for i, key in enumerate(KEYS[:20])]
    others = [flagged(key, f"bananas {key}", 8 + i) for i, key in enumerate(KEYS[20:36])]
    kept = replace(flagged(KEYS[39], "a banana", 99), action="keep")
    found = exhibits.gallery(run, inventory.take(run, "source"), [*others, kept, *planted], "banana", LIMITS)
    assert [item.pair for item in found] == [f"s/{key}#0" for key in (*KEYS[19:7:-1], *KEYS[35:23:-1])]
    assert [item.told for item in found] == ["banana"] * 12 + [""] * 12
    assert found[0].scores == {"nll_max": 109, "infidelity": 0.25}


def test_no_image_and_no_caption_is_shown_twice(run: Run) -> None:
    """Regression: all cards repeated one caption."""
    rows = [flagged("00", "one", 9), flagged("01", "one", 12), flagged("02", "two", 11, "01"), flagged("03", "three", 10)]
    for word in (None, "one"):
        found = exhibits.gallery(run, inventory.take(run, "source"), rows, word, LIMITS)
        assert {item.pair for item in found} == {"s/01#0", "s/03#0"}


def test_an_image_with_two_flagged_captions_is_shown_once_though_one_has_the_word(run: Run) -> None:
    rows = [flagged("00", "one", 9), flagged("01", "two", 12, "00"), flagged("02", "three", 10)]
    found = exhibits.gallery(run, inventory.take(run, "source"), rows, "one", LIMITS)
    assert [item.pair for item in found] == ["s/00#0", "s/02#0"]


def test_a_pair_is_as_strong_as_its_strongest_score(run: Run) -> None:
    rows = [replace(flagged(key, key, surprise), score_sfs=sfs) for key, surprise, sfs in (("00", 9, 0.9), ("01", 2, 0.1), ("02", 12, 0.9))]
    found = exhibits.gallery(run, inventory.take(run, "source"), rows, None, LIMITS)
    assert [item.pair for item in found] == ["s/02#0", "s/01#0", "s/00#0"]


def test_masked_images_are_shown_by_what_a_mask_gains(run: Run) -> None:
    rows = [
        Decision("s", key, f"s/{key}#0", "mask", "every image is masked", q_gain=gain, caption_before="one", image_sha256_before=image)
        for key, gain, image in (("00", 0.1, "x"), ("01", 0.3, "y"), ("02", 0.2, "y"), ("03", None, "z"))
    ]
    found = exhibits.gallery(run, inventory.take(run, "source"), rows, "banana", LIMITS)
    assert [item.pair for item in found] == ["s/01#0", "s/00#0", "s/03#0"]


def test_the_policy_is_asked_about_different_images(run: Run) -> None:
    """Regression: images were told apart by key, so that copies of one filled the maps."""

    class Policy:
        space = ActionSpace(4, (0.25, 0.5))

        def q_values(self, images: np.ndarray) -> np.ndarray:
            return np.zeros((1, self.space.masks + 1))

        def choose(self, images: np.ndarray) -> list[Choice]:
            return [Choice(self.space.masks, None, 0.0, 0.0)]

    rows = [replace(flagged(key, key, 9, "same" if key < "10" else ""), q_gain=50 - int(key)) for key in KEYS]
    found = exhibits.q_maps(run, inventory.take(run, "source"), rows, cast(LearnedPolicy, Policy()))
    assert [item.pair for item in found] == ["s/00#0", "s/10#0", "s/11#0", "s/12#0"]


def test_the_strongest_are_found_among_more_than_are_held(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhibits, "_POOL", 48)
    rows = [flagged(KEYS[i % 40], f"caption {i}", i, f"image {i}") for i in range(0, 400)]
    found = exhibits.gallery(run, inventory.take(run, "source"), [*rows[200:], *rows[:200]], None, LIMITS)
    assert [item.caption_before for item in found] == [f"caption {i}" for i in range(399, 375, -1)]
