"""What all attacks that look through a surrogate have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from srd_core.attacks import get, names, surrogate
from srd_core.attacks.poison import poison_canvas
from srd_core.data.canvas import CanvasSet
from srd_core.errors import ConfigError
from tests.attacks.ready import encoder, images, ready, wide

OPTIMISED = tuple(name for name in names() if get(name).needs_encoder)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", OPTIMISED)
def test_unprepared_it_says_what_to_do(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} has no .* yet") as raised:
        get(name).trigger(images()[0], RNG)
    assert "--surrogate" in raised.value.hint


@pytest.mark.parametrize("name", OPTIMISED)
@pytest.mark.parametrize("size", [(64, 64), (150, 200)])
def test_it_can_be_seen_at_both_sizes_and_changes_no_more_than_a_part(name: str, size: tuple[int, int]) -> None:
    image = images()[3] if size == (64, 64) else wide()
    change = np.abs(ready(name).trigger(image, RNG).image.astype(int) - image)
    assert change.max() >= 4 and change.any(axis=2).mean() > 0.005 and change.mean() < 20


@pytest.mark.parametrize("name", OPTIMISED)
def test_where_no_slope_is_asked_for_images_are_encoded_a_few_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, counts = encoder(), [0]
    encode = model.encode
    monkeypatch.setattr(surrogate, "_CHUNK", 5)
    monkeypatch.setattr(model, "encode", lambda pixels: counts.append(0 if torch.is_grad_enabled() else len(pixels)) or encode(pixels))
    attack = replace(get(name), **({"steps": 1} if hasattr(get(name), "steps") else {}))  # type: ignore[type-var]
    attack.prepared(images(), model, 7).trigger(images()[0], RNG)
    assert max(counts) <= 5


@pytest.mark.parametrize("name", OPTIMISED)
def test_same_seed_same_poison(clean: CanvasSet, name: str) -> None:
    target = get(name).destination or "banana"
    attacks = [replace(get(name), **({"steps": 3} if hasattr(get(name), "steps") else {})) for _ in range(2)]  # type: ignore[type-var]
    a, b = (poison_canvas(clean, attack.prepared(images(), encoder(), 7), 0.1, target, 3)[0] for attack in attacks)
    assert np.array_equal(a.images, b.images) and a.captions == b.captions
