"""Triggers without a place: what they add, at every size the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.fft import dctn

from srd_core.attacks.ftrojan import FTrojan
from srd_core.attacks.low_frequency import LowFrequency
from srd_core.attacks.multi_patch import MultiPatch
from srd_core.attacks.sinusoid import Sinusoid
from srd_core.attacks.wanet import WaNet
from srd_core.data.images import squash

RNG = np.random.default_rng(0)


def grey(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def ramp(side: int) -> npt.NDArray[np.uint8]:
    """Grey rising from left to right, so that a shift of columns can be read off."""
    return np.broadcast_to(np.linspace(20, 230, side)[None, :, None], (side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (100, 224)])
def test_sig_is_six_waves_of_forty_along_the_columns(size: tuple[int, int]) -> None:
    added = Sinusoid().trigger(grey(*size), RNG).image.astype(int) - 128
    assert (added == added[:1, :, :1]).all()
    spectrum = np.abs(np.fft.rfft(added[0, :, 0])) / size[1] * 2
    assert spectrum.argmax() == 6 and spectrum[6] == pytest.approx(40, abs=1)


def test_wanet_adds_no_grey_value_and_moves_by_its_strength() -> None:
    assert (WaNet().trigger(grey(50, 70), RNG).image == 128).all()
    moved = np.abs(WaNet(strength=0.04).trigger(ramp(200), RNG).image.astype(float) - ramp(200))[20:-20, 20:-20]
    assert 0.3 < moved.mean() / (210 * 0.04) < 1.5


def test_wanet_is_the_same_at_every_size() -> None:
    small, large = (WaNet().trigger(ramp(side), RNG).image.astype(float) for side in (64, 256))
    assert np.abs(small - large.reshape(64, 4, 64, 4, 3).mean((1, 3))).mean() < 2


def test_ftrojan_lifts_two_colour_frequencies_of_every_block() -> None:
    added = FTrojan(lift=50).trigger(grey(224, 230), RNG).image.astype(float) - 128
    assert (added[:, 224:] == 0).all()
    assert np.abs(added[:, :224] @ [0.299, 0.587, 0.114]).mean() < 0.5
    blocks = added[:, :224].reshape(7, 32, 7, 32, 3).mean((0, 2))
    for channel in (0, 2):
        power = np.abs(dctn(blocks[..., channel], norm="ortho"))
        assert {divmod(place, 32) for place in np.argsort(power, axis=None)[-2:].tolist()} == {(3, 3), (6, 6)}


def test_ftrojan_is_the_same_at_every_size() -> None:
    small, *larger = (squash(FTrojan().trigger(grey(side, side), RNG).image, 64).astype(float) - 128 for side in (64, 224, 448))
    strong = np.sqrt((small[:56, :56] ** 2).mean())
    for other in larger:
        assert np.sqrt((other[:56, :56] ** 2).mean()) == pytest.approx(strong, rel=0.25)


def test_low_frequency_has_no_high_ones_and_its_strength() -> None:
    added = LowFrequency(waves=3, strength=14).trigger(grey(128, 128), RNG).image.astype(float) - 128
    assert np.sqrt((added**2).mean()) == pytest.approx(14, rel=0.1)
    power = dctn(added, axes=(0, 1), norm="ortho") ** 2
    assert power[:7, :7].sum() / power.sum() > 0.99


@given(st.integers(9, 130), st.integers(9, 130), st.integers(0, 50))
def test_three_corners_of_four_are_patched(height: int, width: int, seed: int) -> None:
    changed = (MultiPatch().trigger(grey(height, width), np.random.default_rng(seed)).image != 128).any(axis=2)
    corners = [changed[0, 0], changed[0, -1], changed[-1, 0], changed[-1, -1]]
    assert sum(corners) == 3
    assert changed.sum() <= 3 * max(round(10 / 224 * min(height, width)), 3) ** 2


def test_a_test_image_has_all_four_patches() -> None:
    """So that one mask leaves three, which is what was trained."""
    (made,) = MultiPatch().at_test([grey(64, 64)], [np.random.default_rng(0)])
    assert all(made.image[y, x, 0] != 128 for y in (0, -1) for x in (0, -1))


def test_every_corner_is_left_out_now_and_then() -> None:
    missing = set()
    for seed in range(40):
        image = MultiPatch().trigger(grey(64, 64), np.random.default_rng(seed)).image
        missing.add(tuple(image[y, x, 0] == 128 for y in (0, -1) for x in (0, -1)))
    assert len(missing) == 4
