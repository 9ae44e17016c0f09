"""MABA: half transparent ellipses where the encoder looks."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from srd_core.attacks.maba import MABA
from tests.attacks.ready import images, ready, wide

RNG = np.random.default_rng(0)


def test_it_paints_where_the_encoder_looks() -> None:
    attack = cast(MABA, ready("maba"))
    for picture, values in zip(images()[:6], attack.attribution(list(images()[:6])), strict=True):
        centres = attack.centres(values, 64, 64)
        rows, columns = np.rint(centres).astype(int).T
        assert values[rows, columns].min() >= np.quantile(values, 0.9) and values[rows[0], columns[0]] == values.max()
        painted = attack.trigger(picture, RNG).image[rows, columns]
        assert np.abs(painted - (0.5 * picture[rows, columns] + 0.5 * np.array([255, 255, 0]))).max() <= 0.5


@pytest.mark.parametrize("size", [(64, 64), (150, 200)])
def test_ellipses_lie_apart_and_have_their_size(size: tuple[int, int]) -> None:
    attack = cast(MABA, ready("maba"))
    centres = attack.centres(attack.attribution([wide()])[0], *size)
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))[~np.eye(len(centres), dtype=bool)]
    assert len(centres) >= 3 and apart.min() >= 30 / 224 * min(size)
    few = replace(attack, spacing=9.0)
    changed = few.trigger(np.zeros((*size, 3), np.uint8), RNG).image.any(axis=2)
    assert changed.sum() == pytest.approx(np.pi / 4 * 10 * 20 * (min(size) / 224) ** 2, rel=0.35)
