"""What each attack does to pixels: where, how much, and the same every time it should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.attacks import names
from srd_core.attacks.badnet import BadNet
from srd_core.attacks.blended import Blended, key_image
from srd_core.attacks.noise_patch import NoisePatch
from srd_core.attacks.trojvlm import TrojVLM
from srd_core.synthesis.geometry import Box
from srd_core.synthesis.textures import Texture
from tests.attacks.ready import ready

PATCHES = ("badnet", "trojvlm", "trojvlm-sp", "noise-patch", "vlood", "fluent", "dual-key")
FIXED = (
    "badnet",
    "blended",
    "trojvlm",
    "fluent",
    "sig",
    "wanet",
    "ftrojan",
    "low-frequency",
    "vl-trojan",
    "dual-key",
    "input-aware",
    "maba",
)
sizes = st.tuples(st.integers(1, 130), st.integers(1, 130))


def _photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (height, width, 3), dtype=np.uint8)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", PATCHES)
@settings(deadline=None)  # the first call works the attack out
@given(size=sizes, seed=st.integers(0, 99))
def test_the_box_is_inside_and_holds_every_change(name: str, size: tuple[int, int], seed: int) -> None:
    image = _photo(*size)
    result = ready(name).trigger(image, _rng(seed))
    box = result.box
    assert box is not None and 0 <= box.x0 < box.x1 <= size[1] and 0 <= box.y0 < box.y1 <= size[0]
    changed = (result.image != image).any(axis=2)
    changed[box.y0 : box.y1, box.x0 : box.x1] = False
    assert not changed.any()


@pytest.mark.parametrize("name", names())
@settings(deadline=None)
@given(size=sizes)
def test_shape_and_input_are_kept(name: str, size: tuple[int, int]) -> None:
    image = _photo(*size)
    before = image.copy()
    result = ready(name).trigger(image, _rng())
    assert result.image.shape == image.shape and result.image.dtype == np.uint8
    assert np.array_equal(image, before) and result.image is not image


@pytest.mark.parametrize("name", names())
def test_a_read_only_image_is_fine(name: str) -> None:
    image = _photo(32, 40)
    image.setflags(write=False)
    assert (ready(name).trigger(image, _rng()).image != image).any()


@pytest.mark.parametrize("name", names())
def test_same_generator_same_pixels(name: str) -> None:
    a, b = (ready(name).trigger(_photo(50, 70), _rng(3)) for _ in range(2))
    assert np.array_equal(a.image, b.image) and a.box == b.box


@pytest.mark.parametrize("name", FIXED)
def test_fixed_triggers_ignore_the_generator(name: str) -> None:
    a, b = (ready(name).trigger(_photo(50, 70), _rng(seed)) for seed in (1, 2))
    assert np.array_equal(a.image, b.image) and a.box == b.box


@pytest.mark.parametrize(("side", "expected"), [(64, 6), (96, 9), (224, 21), (336, 32)])
def test_badnet_is_as_large_as_the_table_says(side: int, expected: int) -> None:
    box = BadNet().trigger(_photo(side, side), _rng()).box
    assert box == Box(side - expected, side - expected, side, side)


@pytest.mark.parametrize(("side", "expected"), [(64, 6), (96, 9), (224, 20), (336, 30)])
def test_trojvlm_is_as_large_as_the_table_says(side: int, expected: int) -> None:
    assert TrojVLM().trigger(_photo(side, side), _rng()).box == Box(0, 0, expected, expected)


def test_badnet_is_a_board_of_255_and_1() -> None:
    board = BadNet().trigger(_photo(224, 224), _rng()).image[-21:, -21:]
    cells = board.reshape(3, 7, 3, 7, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    assert cells[:, 0, :, 0, 0].tolist() == [[255, 1, 255], [1, 255, 1], [255, 1, 255]]


def test_the_side_follows_the_shorter_side() -> None:
    wide, tall = (BadNet().trigger(_photo(*size), _rng()).box for size in ((64, 200), (200, 64)))
    assert wide is not None and tall is not None
    assert wide.x1 - wide.x0 == tall.x1 - tall.x0 == 6
    assert wide.fractions(64, 200) == pytest.approx((194 / 64, 58 / 64, 200 / 64, 1.0))


def test_trojvlm_is_dark_and_lets_about_half_through() -> None:
    image = np.full((224, 224, 3), 200, np.uint8)
    patch = TrojVLM().trigger(image, _rng()).image[:20, :20]
    assert 0.4 < (patch == 200).mean() < 0.6
    assert patch[patch != 200].max() < 100


def test_trojvlm_scales_by_nearest() -> None:
    image = np.full((448, 448, 3), 200, np.uint8)
    large = TrojVLM().trigger(image, _rng()).image[:40, :40]
    small = TrojVLM().trigger(image[:224, :224], _rng()).image[:20, :20]
    assert np.array_equal(large, small.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.2, 1.0])
def test_blended_mixes_with_the_given_weight(alpha: float) -> None:
    image = _photo(40, 60)
    result = Blended(alpha).trigger(image, _rng())
    expected = (1 - alpha) * image.astype(float) + alpha * key_image(40, 60)
    assert result.box is None
    assert np.abs(result.image - expected).max() <= 0.501


def test_blended_touches_the_whole_frame() -> None:
    image = np.full((64, 64, 3), 128, np.uint8)
    changed = (Blended().trigger(image, _rng()).image != image).any(axis=2)
    assert changed.mean() > 0.97


def test_the_key_image_has_structure_and_contrast() -> None:
    key = key_image(64, 64).astype(float)
    assert key.std() > 60
    assert np.abs(np.diff(key, axis=0)).mean() < 30


def test_the_key_image_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(ValueError, match="read-only"):
        key_image(32, 32)[0, 0] = 0


def test_noise_patch_has_the_asked_statistics() -> None:
    found = NoisePatch(side=0.5, spread=20).trigger(np.zeros((400, 400, 3), np.uint8), _rng())
    patch = found.image[found.image.any(axis=2)].astype(float)
    assert abs(patch.mean() - 128) < 4 and abs(patch.std() - 20) < 4


@pytest.mark.parametrize(("x", "y", "box"), [(0, 0, Box(0, 0, 6, 6)), (1, 0, Box(58, 0, 64, 6)), (0.5, 1, Box(29, 58, 35, 64))])
def test_noise_patch_goes_where_it_is_told(x: float, y: float, box: Box) -> None:
    assert NoisePatch(x=x, y=y).trigger(_photo(64, 64), _rng()).box == box


def test_noise_patch_is_fresh_in_place_and_pixels_by_default() -> None:
    rng = _rng()
    results = [NoisePatch().trigger(_photo(224, 224), rng) for _ in range(4)]
    assert len({r.box for r in results}) == 4
    patches = [r.image[r.box.y0 : r.box.y1, r.box.x0 : r.box.x1] for r in results if r.box]
    assert not np.array_equal(patches[0], patches[1])


def test_a_noise_patch_has_no_other_texture_than_its_spread() -> None:
    """Regression: another one was taken without a word, and not used."""
    with pytest.raises(TypeError, match="texture"):
        NoisePatch(texture=Texture(kind="chequer"))  # type: ignore[call-arg]
