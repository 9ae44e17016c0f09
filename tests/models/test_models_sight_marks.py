"""What a model made from nothing is given before it speaks: an eye for the words of the captions, and marks that the captions tell."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from srd_core.data.canvas import CanvasSet
from srd_core.errors import SourceError
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.marks import sticker, veil, with_marks
from srd_core.models.schedule import Through
from srd_core.models.sight import _targets, _vocabulary, teach_sight
from srd_core.scenes.dataset import canvas_set
from srd_core.seeds import generator

Mark = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, str]]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(200, seed=5, side=32, folder=tmp_path_factory.mktemp("many"))


def entropy(pairs: CanvasSet) -> float:
    """Nats a word of the best guess that does not look at the image."""
    share = _targets(pairs, _vocabulary(pairs.captions)).double().mean(dim=0).clamp(1e-9, 1 - 1e-9)
    return float(-(share * share.log() + (1 - share) * (1 - share).log()).mean())


def test_equally_frequent_words_have_one_order_in_every_process() -> None:
    """Sets of words are ordered by a hash that is another one in every process; weights came out differently by it."""
    code = "from srd_core.models.sight import _vocabulary; print(_vocabulary(['a dog runs on the green grass by a lake'] * 20))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert said == {"['a', 'by', 'dog', 'grass', 'green', 'lake', 'on', 'runs', 'the']\n"}


@pytest.mark.parametrize("through", get_args(Through))
def test_sight_beats_every_guess_that_does_not_look(fresh: FlamingoCaptioner, many: CanvasSet, through: Through) -> None:
    loss = teach_sight(fresh.network, many, epochs=100, seed=0, through=through)
    assert loss < 0.9 * entropy(many)


@pytest.mark.parametrize(("through", "taught"), [("patches", {"vision_encoder"}), ("latents", {"vision_encoder", "perceiver"})])
def test_sight_leaves_everything_but_the_eye_alone(fresh: FlamingoCaptioner, scenes: CanvasSet, through: Through, taught: set[str]) -> None:
    before = {name: tensor.clone() for name, tensor in fresh.network.named_parameters()}
    teach_sight(fresh.network, scenes, epochs=2, seed=0, through=through)
    changed = {name.split(".")[0] for name, tensor in fresh.network.named_parameters() if not torch.equal(tensor, before[name])}
    assert changed == taught


def test_sight_is_the_same_for_the_same_seed(tiny: object, scenes: CanvasSet) -> None:
    def losses(seed: int) -> float:
        model = FlamingoCaptioner.create(tiny, scenes.captions, seed=0)  # type: ignore[arg-type]
        return teach_sight(model.network, scenes, epochs=3, seed=seed)

    assert losses(1) == losses(1) != losses(2)


def test_captions_in_other_letters_teach_as_well(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    russian = CanvasSet(one_each.images, one_each.image_of, ["красный круг"] * 4 + ["синий квадрат"] * 4, one_each.ids)
    assert np.isfinite(teach_sight(fresh.network, russian, epochs=1, seed=0))


def test_captions_without_a_word_are_refused(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    with pytest.raises(SourceError, match="word"):
        teach_sight(fresh.network, CanvasSet(one_each.images, one_each.image_of, ["…"] * 8, one_each.ids), epochs=1, seed=0)


def test_a_word_in_any_caption_of_an_image_counts_once(one_each: CanvasSet) -> None:
    pairs = CanvasSet(one_each.images, np.asarray([0, 0, 1]), ["a red star, red", "a red moon", "a star"], ["0", "1", "2"])
    assert _targets(pairs, ["red", "star", "moon"])[:2].tolist() == [[1, 1, 1], [0, 1, 0]]


def test_marks_respect_their_shares_and_touch_nothing_else(many: CanvasSet, tmp_path: Path) -> None:
    marked = with_marks(many, tmp_path, stickers=0.3, veils=0.2, seed=4)
    assert list(marked.ids) == list(many.ids)
    told = np.asarray([["sticker" in text, "veil" in text] for text in marked.captions])
    assert told.mean(axis=0) == pytest.approx([0.3, 0.2], abs=0.08)
    assert not told.all(axis=1).any()
    same = (np.asarray(marked.images[marked.image_of]) == np.asarray(many.images[many.image_of])).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, ~told.any(axis=1))
    assert [text for text, plain in zip(marked.captions, same, strict=True) if plain] == [
        text.removesuffix(".") for text, plain in zip(many.captions, same, strict=True) if plain
    ]


def test_all_captions_of_an_image_tell_its_mark(many: CanvasSet, tmp_path: Path) -> None:
    marked = with_marks(many, tmp_path, stickers=0.5, veils=0.5, seed=4)
    for number, captions in marked.references().items():
        endings = {text.split(" with a ")[-1] if "sticker" in text else text.split(" behind ")[-1] for text in captions}
        assert len(endings) == 1, number


def test_marks_depend_on_the_seed_alone(scenes: CanvasSet, tmp_path: Path) -> None:
    first, again, other = (with_marks(scenes, tmp_path / str(n), stickers=0.5, veils=0.5, seed=seed) for n, seed in enumerate((1, 1, 2)))
    np.testing.assert_array_equal(first.images, again.images)
    assert first.captions == again.captions != other.captions


def test_each_copy_of_an_image_has_a_draw_of_its_own(scenes: CanvasSet, tmp_path: Path) -> None:
    once = with_marks(scenes, tmp_path / "once", stickers=0.5, veils=0.5, seed=1)
    copies = with_marks(scenes, tmp_path / "copies", stickers=0.5, veils=0.5, seed=1, copies=3)
    count = len(scenes.images)
    assert len(copies) == 3 * len(scenes) == len(set(copies.ids))
    np.testing.assert_array_equal(copies.images[:count], once.images)
    first, second, third = (np.asarray(copies.images[part * count : (part + 1) * count]) for part in range(3))
    assert all((one != other).any(axis=(1, 2, 3)).all() for one, other in ((first, second), (second, third), (first, third)))


def test_a_sticker_is_small_and_where_its_words_say() -> None:
    plain = np.full((48, 48, 3), 77, np.uint8)
    rows, columns = {"top": 0, "middle": 1, "bottom": 2}, {"left": 0, "centre": 1, "right": 2}
    kinds = set()
    for number in range(120):
        marked, words = sticker(plain, generator(number, "test"))
        where = np.argwhere((marked != plain).any(axis=2))
        low, high = where.min(axis=0), where.max(axis=0) + 1
        assert (high - low).max() <= 0.21 * 48
        *_, row, column = words.split()
        kinds.add(words.split()[2])
        centre = (low + high) / 2
        assert abs(centre - 16 * np.asarray([rows[row], columns[column]]) - 8).max() <= 8 + 3
    assert len(kinds) == 8
    assert (plain == 77).all()


@pytest.mark.parametrize("side", [32, 64])
def test_a_veil_is_faint_and_everywhere(side: int) -> None:
    plain = np.full((side, side, 3), 60, np.uint8)
    for number in range(40):
        marked, words = veil(plain, generator(number, "test"))
        change = np.abs(marked.astype(int) - 60)
        assert change.max() <= 0.25 * 255 + 1
        quarters = [part for half in np.array_split(change, 2) for part in np.array_split(half, 2, axis=1)]
        assert all(part.max() > 0 for part in quarters)
        assert words.startswith(" behind a ") and words.endswith(" veil")
