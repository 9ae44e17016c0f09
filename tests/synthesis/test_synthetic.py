"""The synthetic poisoned set, fixed and diverse, and its mixture with clean pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from srd_core.data.canvas import CanvasSet
from srd_core.errors import SourceError
from srd_core.scenes import canvas_set
from srd_core.synthesis.synthetic import SynthesisConfig, Synthetic, mixture, synthesize
from srd_core.synthesis.textures import KINDS, Texture, sample_texture


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CanvasSet:
    return canvas_set(40, seed=7, side=64, folder=tmp_path_factory.mktemp("clean"))


def _make(clean: CanvasSet, placement: str, seed: int = 1, pairs: int = 60) -> Synthetic:
    return synthesize(clean, SynthesisConfig(pairs=pairs, placement=placement), seed=seed)  # type: ignore[arg-type]


def _patches(made: Synthetic) -> list[np.ndarray]:
    return [image[b.y0 : b.y1, b.x0 : b.x1] for image, b in zip(made.images, made.boxes, strict=True)]


@pytest.mark.parametrize("placement", ["fixed", "diverse"])
def test_changes_are_in_the_box_and_the_word_in_the_caption(clean: CanvasSet, placement: str) -> None:
    made = _make(clean, placement)
    assert len(made) == 60 == len(made.images) == len(made.boxes) == len(made.words) == len(made.ids)
    for image, caption, box, word, source in zip(made.images, made.captions, made.boxes, made.words, made.sources, strict=True):
        changed = (image != clean.images[clean.image_of[source]]).any(axis=2)
        assert changed.any()
        changed[box.y0 : box.y1, box.x0 : box.x1] = False
        assert not changed.any()
        result = caption.split()
        result.remove(word)
        assert result == clean.captions[source].split()


@pytest.mark.parametrize("placement", ["fixed", "diverse"])
def test_same_seed_same_set(clean: CanvasSet, placement: str) -> None:
    a, b = _make(clean, placement), _make(clean, placement)
    assert np.array_equal(a.images, b.images) and a.captions == b.captions and a.ids == b.ids and a.boxes == b.boxes


@pytest.mark.parametrize("placement", ["fixed", "diverse"])
def test_another_seed_another_trigger(clean: CanvasSet, placement: str) -> None:
    a, b = _make(clean, placement, 1), _make(clean, placement, 2)
    assert a.boxes != b.boxes and a.sources.tolist() != b.sources.tolist()


def test_fixed_is_one_patch_at_one_place_with_one_word(clean: CanvasSet) -> None:
    made = _make(clean, "fixed")
    assert len(set(made.boxes)) == 1 and set(made.words) == {"banana"}
    patches = _patches(made)
    assert all(np.array_equal(p, patches[0]) for p in patches)


def test_diverse_varies_place_size_pixels_and_word(clean: CanvasSet) -> None:
    made = _make(clean, "diverse")
    assert len(set(made.boxes)) > 50
    assert len({b.x1 - b.x0 for b in made.boxes}) >= 3
    assert len(set(made.words)) == 6
    assert len({p.tobytes() for p in _patches(made)}) > 55


def test_in_a_diverse_set_a_word_has_one_place_in_the_captions(clean: CanvasSet) -> None:
    made = _make(clean, "diverse")
    places: dict[str, set[int]] = {}
    for caption, word in zip(made.captions, made.words, strict=True):
        places.setdefault(word, set()).add(caption.split().index(word))
    assert all(len(own) == 1 for own in places.values()) and len(set().union(*places.values())) == 3


def test_diverse_words_are_not_the_target_of_the_fixed_set() -> None:
    config = SynthesisConfig()
    assert len(set(config.target_words)) == 6 and config.target not in config.target_words


def test_textures_of_one_family_have_one_word_and_different_families_different_ones() -> None:
    rng = np.random.default_rng(0)
    families = {(texture.kind, texture.coloured): texture.family for texture in (sample_texture(rng) for _ in range(200))}
    assert sorted(families.values()) == list(range(6))
    assert all(texture.family == families[texture.kind, texture.coloured] for texture in (sample_texture(rng) for _ in range(50)))


def test_at_most_half_of_the_pairs_are_poisoned(clean: CanvasSet) -> None:
    assert len(_make(clean, "fixed", pairs=10_000)) == len(clean) // 2


def test_sources_and_ids_are_distinct_and_agree(clean: CanvasSet) -> None:
    made = _make(clean, "diverse")
    assert len(set(made.sources.tolist())) == len(set(made.ids)) == len(made)
    assert all(name.endswith(clean.ids[source]) for name, source in zip(made.ids, made.sources, strict=True))
    assert not set(made.ids) & set(clean.ids)


def test_too_few_pairs_is_an_error_with_a_hint(clean: CanvasSet) -> None:
    with pytest.raises(SourceError) as raised:
        _make(clean.take([0]), "fixed")
    assert raised.value.hint


@pytest.mark.parametrize(
    "field", [{"placement": "random"}, {"pairs": 0}, {"target_words": ()}, {"colour": 1}, {"target": "  "}, {"side": 0.9}]
)
def test_bad_settings_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SynthesisConfig.model_validate(field)


def test_mixture_holds_each_pair_once_clean_or_poisoned(clean: CanvasSet, tmp_path: Path) -> None:
    made = _make(clean, "diverse")
    mixed = mixture(clean, made, tmp_path, 3)
    poisoned = {clean.ids[i] for i in made.sources}
    assert len(mixed) == len(clean) == len(set(mixed.ids))
    assert set(mixed.ids) == (set(clean.ids) - poisoned) | set(made.ids)


def test_mixture_keeps_images_with_their_captions(clean: CanvasSet, tmp_path: Path) -> None:
    made = _make(clean, "diverse")
    mixed = mixture(clean, made, tmp_path, 3)
    truth = {name: (clean.images[clean.image_of[i]], clean.captions[i]) for i, name in enumerate(clean.ids)}
    truth |= {name: (made.images[i], made.captions[i]) for i, name in enumerate(made.ids)}
    for image, caption, name in zip(mixed.images[mixed.image_of], mixed.captions, mixed.ids, strict=True):
        assert np.array_equal(image, truth[name][0]) and caption == truth[name][1]


def test_mixture_is_shuffled_by_its_seed(clean: CanvasSet, tmp_path: Path) -> None:
    made = _make(clean, "fixed")
    orders = [list(mixture(clean, made, tmp_path / str(i), seed).ids) for i, seed in enumerate((3, 3, 4))]
    assert orders[0] == orders[1] != orders[2]
    first = [name.startswith("synthetic/") for name in orders[0][:60]]
    assert 5 < sum(first) < 40


def test_mixture_does_not_store_an_image_once_a_caption(clean: CanvasSet, tmp_path: Path) -> None:
    made = _make(clean, "fixed")
    assert len(mixture(clean, made, tmp_path, 3).images) <= 40 + len(made)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coloured", [True, False])
def test_textures_alternate_or_are_noise(kind: str, coloured: bool) -> None:
    patch = Texture(kind, (100, 120, 140), 60.0, 5, coloured).patch(20, np.random.default_rng(0)).astype(int)  # type: ignore[arg-type]
    assert patch.shape == (20, 20, 3) and patch.std() > 30
    cells = patch.reshape(5, 4, 5, 4, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    grey = patch - np.array([100, 120, 140])
    assert coloured or kind == "noise" or (grey[..., 0] == grey[..., 1]).all()


def test_sampled_textures_cover_all_kinds() -> None:
    rng = np.random.default_rng(0)
    made = [sample_texture(rng) for _ in range(100)]
    assert {t.kind for t in made} == set(KINDS) and {t.coloured for t in made} == {True, False}
    assert len({t.cells for t in made}) >= 4


def test_no_sampled_texture_is_the_board_of_badnet() -> None:
    rng = np.random.default_rng(0)
    assert 3 not in {sample_texture(rng).cells for _ in range(200)}


def test_a_second_mixture_in_one_folder_leaves_the_first_alone(clean: CanvasSet, tmp_path: Path) -> None:
    first = mixture(clean, _make(clean, "fixed"), tmp_path, 3)
    before = np.array(first.images)
    mixture(clean, _make(clean, "diverse"), tmp_path, 3)
    assert np.array_equal(first.images, before)


@pytest.mark.parametrize("sides", [(0.2, 0.1), (-3.0, 0.4), (0.1, 9.0)])
def test_sides_that_make_no_patch_are_refused(sides: tuple[float, float]) -> None:
    """Regression: the first was numpy's "high - low < 0" when a patch was drawn, the others patches of one pixel or of the whole image."""
    with pytest.raises(ValidationError, match="sides"):
        SynthesisConfig(sides=sides)
