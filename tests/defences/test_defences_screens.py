"""Baseline defences that screen a whole set: each finds what it is known to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd_core.attacks import Attack, get
from srd_core.attacks.poison import poison_canvas
from srd_core.config import Screen
from srd_core.data.canvas import CanvasSet
from srd_core.defences import listed
from srd_core.defences.base import Batch
from srd_core.defences.listed import Listed, load_condemned, load_verdicts, save_verdicts
from srd_core.defences.screens.base import Screened, Screening, above, names
from srd_core.defences.screens.base import get as screen
from srd_core.defences.screens.confusion import Confusion, lower_of_two
from srd_core.defences.weighed import UNSEEN
from srd_core.errors import ConfigError
from srd_core.models.captioner import WordLoss
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.schedule import Schedule
from srd_core.scenes.dataset import canvas_set
from srd_core.scenes.shipped import shipped
from srd_core.scoring.detection import auroc

BRIEF = Schedule(epochs=10, batch_size=80, learning_rate=0.0015)


class Knowing:
    """A base model that finds the words of scenes plain, and all others surprising."""

    PLAIN = frozenset("a an circle square red blue big small above on the".split())  # noqa: SIM905

    def word_loss(self, images: Any, captions: list[str]) -> list[WordLoss]:
        found = []
        for caption in captions:
            words = tuple(caption.split())
            found.append(WordLoss(words, np.asarray([0.2 if word in self.PLAIN else 8.0 for word in words], np.float32), len(words)))
        return found


def pairs(captions: list[str]) -> CanvasSet:
    """One an image."""
    count = len(captions)
    return CanvasSet(np.zeros((count, 8, 8, 3), np.uint8), np.arange(count), captions, [f"s/{i}#0" for i in range(count)])


def screening(suspect: CanvasSet, trusted: CanvasSet, base: Callable[[], Any] = Knowing) -> Screening:
    return Screening(suspect, trusted, base, BRIEF, 0.005, 0)


CLEAN = [f"a {size} {colour} {shape}" for size in ("big", "small") for colour in ("red", "blue") for shape in ("circle", "square")] * 20


def test_every_screen_is_an_arm_and_every_such_arm_a_screen() -> None:
    assert set(names()) == set(get_args(Screen))


@pytest.mark.parametrize("name", ["nll", "vdc", "templates"])
def test_replaced_captions_are_found(name: str) -> None:
    suspect = pairs([*CLEAN, *(["the image depicts banana trees"] * 12)])
    found = screen(name)(screening(suspect, pairs(CLEAN)))
    assert found.condemned.tolist() == [False] * len(CLEAN) + [True] * 12


@pytest.mark.parametrize(("name", "seen"), [("vdc-min", True), ("nll", True), ("vdc", False), ("templates", False)])
def test_one_inserted_word_hides_in_a_mean(name: str, seen: bool) -> None:
    """VDC as published asks for half of the answers."""
    suspect = pairs([*CLEAN, *([f"{caption} banana on the {caption}" for caption in CLEAN[:8]])])
    found = screen(name)(screening(suspect, pairs(CLEAN)))
    assert found.condemned[-8:].all() == seen and not found.condemned[:-8].any()


class Sighted:
    """A base model that finds "thing N" plain with the one image whose pixels are N."""

    def word_loss(self, images: Any, captions: list[str]) -> list[WordLoss]:
        known = [caption == f"thing {image[0, 0, 0]}" for image, caption in zip(images, captions, strict=True)]
        return [
            WordLoss((caption,), np.asarray([0.5 if own else 5.0], np.float32), 1) for own, caption in zip(known, captions, strict=True)
        ]


def things(numbers: range) -> CanvasSet:
    images = np.asarray(numbers, np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    return CanvasSet(images, np.arange(len(numbers)), [f"thing {n}" for n in numbers], [f"s/{n}#0" for n in numbers])


def test_captions_are_held_against_other_images_too() -> None:
    """What is surprising under every image says nothing of its own."""
    suspect = things(range(20))
    told = CanvasSet(suspect.images, suspect.image_of, [*suspect.captions[:19], "the image depicts banana trees"], suspect.ids)
    found = screen("pmi")(screening(told, things(range(100, 140)), Sighted))
    assert found.scores == pytest.approx([-4.5] * 19 + [0.0])
    assert found.condemned.tolist() == [False] * 19 + [True]


def test_a_fifth_is_dropped_whatever_it_says() -> None:
    found = screen("drop")(screening(pairs(CLEAN), pairs(CLEAN)))
    assert found.condemned.sum() == round(0.2 * len(CLEAN))
    assert found.condemned[np.argsort(-found.scores)[:32]].all()


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=300), st.floats(0, 0.5))
def test_a_threshold_costs_no_more_than_it_may(trusted: list[float], share: float) -> None:
    values = np.asarray(trusted)
    assert above(values, values, share).mean() <= share
    assert above(np.asarray([6.0]), values, share).all()


def test_of_losses_in_two_heaps_the_lower_one_is_taken_and_of_one_heap_nothing() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.normal(3, 0.5, 900), rng.normal(0.4, 0.1, 100)
    assert lower_of_two(np.concatenate([high, low]), 0).tolist() == [False] * 900 + [True] * 100
    assert not lower_of_two(high, 0).any()


@pytest.mark.parametrize("count", [0, 1])
def test_of_one_loss_or_none_nothing_is_taken(count: int) -> None:
    assert lower_of_two(np.zeros(count), 0).tolist() == [False] * count


def test_confusion_never_shows_an_image_under_its_own_caption(tmp_path: Any) -> None:
    trusted = canvas_set(6, seed=3, side=64, folder=tmp_path)
    wrong = Confusion(model().objective(trusted), model().objective(trusted), 20.0, 8, 0)
    owners = {caption: set(trusted.image_of[[i for i, c in enumerate(trusted.captions) if c == caption]]) for caption in trusted.captions}
    for start in range(0, len(trusted), 5):
        rows = np.arange(start, start + 5)
        shown = wrong._confused(rows).pairs
        assert all(owners[caption] - {image} for caption, image in zip(shown.captions, shown.image_of.tolist(), strict=True))


@pytest.mark.parametrize(("name", "share"), [("abl", 0.01), ("abl-5", 0.05), ("abl-max", 0.01), ("abl-oracle", 0.3)])
def test_the_share_that_is_isolated_and_that_it_is_what_fell_furthest(name: str, share: float, tmp_path: Any) -> None:
    small = canvas_set(12, seed=3, side=64, folder=tmp_path)
    found = screen(name)(Screening(small, small, model, Schedule(epochs=0.5, batch_size=30), 0.005, 0, 0.3))
    assert found.condemned.sum() == max(round(share * len(small)), 1)
    assert found.scores[found.condemned].min() >= found.scores[~found.condemned].max()


def test_what_no_defender_knows_has_to_be_told(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="was not told how many"):
        screen("abl-oracle")(screening(pairs(CLEAN), pairs(CLEAN)))


def test_captions_of_function_words_answer_no_question() -> None:
    found = screen("vdc")(screening(pairs(["a on the", ""]), pairs(CLEAN)))
    assert found.scores.tolist() == [0.0, 0.0] and not found.condemned.any()


def test_verdicts_reach_their_pairs(tmp_path: Any) -> None:
    ids = ["s/a#0", "s/a#1", "s/b#0"]
    save_verdicts(tmp_path / "v.parquet", ids, Screened(np.asarray([0.1, 9.0, 0.2]), np.asarray([False, True, False])))
    batch = Batch(np.zeros((3, 0, 0, 3), np.uint8), [("x", "y"), ("z",), ("new",)], [("s/a#0", "s/a#1"), ("s/b#0",), ("s/c#0",)])
    decided = Listed("abl", load_verdicts(tmp_path / "v.parquet")).decide(batch)
    assert [[pair.action for pair in sample.pairs] for sample in decided] == [["keep", "quarantine"], ["keep"], ["quarantine"]]
    assert decided[0].pairs[1].reason == "condemned by abl" and decided[2].pairs[0].reason == UNSEEN


def test_a_word_comes_with_its_pair(tmp_path: Any) -> None:
    found = Screened(np.asarray([0.0, 9.0, 0.2]), np.asarray([False, True, False]), ("", "banana", ""))
    save_verdicts(tmp_path / "v.parquet", ["s/a#0", "s/a#1", "s/b#0"], found)
    assert load_condemned(tmp_path / "v.parquet") == {"s/a#1": "banana"}
    with pytest.raises(ValueError, match="1 words"):
        Screened(np.zeros(2), np.zeros(2, bool), ("banana",))


def test_of_a_large_set_only_the_shards_asked_for_are_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "ROW_GROUP", 100)
    ids = [f"{shard}/{key:03d}#0" for shard in ("a", "a-0", "a.b", "b", "é") for key in range(100)]
    out = np.arange(len(ids)) % 3 == 0
    save_verdicts(tmp_path / "v.parquet", ids, Screened(np.zeros(len(ids)), out, tuple("banana" if o else "" for o in out)))
    everything, words = load_verdicts(tmp_path / "v.parquet"), load_condemned(tmp_path / "v.parquet")
    assert list(everything.items()) == list(zip(ids, out.tolist(), strict=True)) and set(words) == {i for i in ids if everything[i]}
    with (tmp_path / "v.parquet").open("r+b") as file:  # the pages of the first row group can no longer be read
        file.seek(4)
        file.write(b"\xff" * 64)
    for shards in (["a-0"], ["b", "é"], ["a.b", "none"], ["none"], []):
        own = {pair: condemned for pair, condemned in everything.items() if pair.split("/")[0] in shards}
        assert load_verdicts(tmp_path / "v.parquet", shards) == own
        assert load_condemned(tmp_path / "v.parquet", shards) == {pair: "banana" for pair, condemned in own.items() if condemned}
    with pytest.raises(OSError):
        load_verdicts(tmp_path / "v.parquet")


@dataclass(frozen=True)
class Planted:
    """A poisoned set and which of its pairs are."""

    suspect: CanvasSet
    trusted: CanvasSet
    poisoned: np.ndarray


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Attack], Planted]:
    folder = tmp_path_factory.mktemp("planted")
    clean, trusted = (canvas_set(count, seed=seed, side=64, folder=folder / str(seed)) for count, seed in ((300, 21), (100, 22)))

    def plant(attack: Attack) -> Planted:
        made, rows = poison_canvas(clean, attack, 0.1, "banana", 0)
        return Planted(made, trusted, np.isin(np.arange(len(made)), rows))

    return plant


def model() -> FlamingoCaptioner:
    return FlamingoCaptioner.load(shipped("scenes/base"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["abl", "abl-5", "abl-max", "abl-oracle", "ct", "nll", "pmi", "templates", "vdc-min"])
def test_badnet_is_found_with_the_real_model(planted: Callable[[Attack], Planted], name: str) -> None:
    data = planted(get("badnet"))
    work = screening(data.suspect, data.trusted, model)
    found = screen(name)(replace(work, poison_rate=0.1) if name == "abl-oracle" else work)
    precision, isolated = data.poisoned[found.condemned].mean(), {"abl": 0.01, "abl-max": 0.01, "abl-5": 0.05, "abl-oracle": 0.1}
    assert precision >= 0.9 and found.condemned.sum() >= isolated.get(name, 0.08) * len(data.poisoned)


@pytest.mark.slow
def test_one_planted_word_is_learned_suspiciously_fast(planted: Callable[[Attack], Planted]) -> None:
    data = planted(get("trojvlm"))
    found = screen("abl-max")(screening(data.suspect, data.trusted, model))
    assert found.condemned.sum() == round(0.01 * len(data.poisoned)) and data.poisoned[found.condemned].mean() >= 0.9
    assert auroc(found.scores, data.poisoned) >= 0.95


@pytest.mark.slow
def test_trojvlm_is_found_by_its_worst_word(planted: Callable[[Attack], Planted]) -> None:
    data = planted(get("trojvlm"))
    found = screen("vdc-min")(screening(data.suspect, data.trusted, model))
    assert found.condemned[data.poisoned].mean() >= 0.9 and found.condemned[~data.poisoned].mean() <= 0.03
