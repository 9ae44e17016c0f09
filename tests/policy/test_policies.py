from __future__ import annotations

import json
import math
from pathlib import Path
from typing import get_args
from unittest.mock import patch

import numpy as np
import pytest
import torch

from srd_core.errors import SourceError
from srd_core.policy.environment import render
from srd_core.policy.learned import LearnedPolicy, Reads
from srd_core.policy.masks import ActionSpace
from srd_core.policy.policy import greedy
from srd_core.policy.qnetwork import NetworkShape, QNetwork
from srd_core.policy.random_policy import RandomPolicy
from srd_core.policy.symmetry import TURNS, Turn

SPACE = ActionSpace()
IMAGES = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)


def learned(seed: int = 0, space: ActionSpace = SPACE, *, duelling: bool = True) -> LearnedPolicy:
    torch.manual_seed(seed)
    return LearnedPolicy(QNetwork(NetworkShape(grid=space.grid, sizes=len(space.sizes), duelling=duelling)), space)


def values(best: float, at: int = 7) -> np.ndarray:
    row = np.full((1, SPACE.count), -1.0, np.float32)
    row[0, at], row[0, SPACE.no_mask] = best, 0
    return row


def test_a_mask_worth_more_than_nothing_is_taken() -> None:
    choice = greedy(values(2.0), SPACE)[0]
    assert (choice.action, choice.mask, choice.q_value, choice.q_gain) == (7, SPACE.decode(7), 2.0, 2.0)


@pytest.mark.parametrize("best", [0.0, -0.5])
def test_a_mask_worth_nothing_is_left_out(best: float) -> None:
    choice = greedy(values(best), SPACE)[0]
    assert (choice.action, choice.mask, choice.q_value, choice.q_gain) == (SPACE.no_mask, None, 0.0, best)


def test_paper_mode_masks_even_then() -> None:
    choice = greedy(values(-0.5), SPACE, force_mask=True)[0]
    assert (choice.action, choice.q_value) == (7, -0.5)


def test_random_never_leaves_an_image_alone_and_spreads_over_the_space() -> None:
    images = np.random.default_rng(1).integers(0, 255, (600, 8, 8, 3), dtype=np.uint8)
    actions = [choice.action for choice in RandomPolicy(SPACE, seed=0).choose(images)]
    sizes = np.bincount(np.asarray(actions) // 100, minlength=5)
    assert SPACE.no_mask not in actions and len(set(actions)) > 250 and sizes[:4].min() > 100


def test_a_random_mask_depends_on_seed_and_image_not_on_the_batch() -> None:
    policy = RandomPolicy(SPACE, seed=3)
    together = [choice.action for choice in policy.choose(IMAGES)]
    alone = [policy.choose(IMAGES[i : i + 1])[0].action for i in range(len(IMAGES))]
    other = [choice.action for choice in RandomPolicy(SPACE, seed=4).choose(IMAGES)]
    assert together == alone and together != other


def test_random_claims_no_value() -> None:
    choice = RandomPolicy(SPACE, seed=0).choose(IMAGES[:1])[0]
    assert math.isnan(choice.q_value) and math.isnan(choice.q_gain)


@pytest.mark.parametrize("side", [32, 64, 80, 224])
def test_the_network_takes_any_canvas_and_gives_no_mask_exactly_zero(side: int) -> None:
    images = np.random.default_rng(2).integers(0, 255, (2, side, side, 3), dtype=np.uint8)
    found = learned().q_values(images)
    assert found.shape == (2, 401) and (found[:, 400] == 0).all() and np.isfinite(found).all()


@pytest.mark.parametrize("space", [ActionSpace(5, (0.2, 0.4)), ActionSpace(7, (0.3,))])
def test_the_network_follows_the_space(space: ActionSpace) -> None:
    assert learned(space=space).q_values(IMAGES).shape == (6, space.count)


def test_the_network_stays_small() -> None:
    assert sum(parameter.numel() for parameter in learned().network.parameters()) <= 300_000


def test_what_happens_at_a_place_changes_the_values_there_most() -> None:
    policy = learned(duelling=False)
    image = np.full((1, 80, 80, 3), 100, np.uint8)
    marked = image.copy()
    marked[0, 56:64, 16:24] = np.random.default_rng(0).integers(0, 255, (8, 8, 3))
    before, after = (policy.map(render(picture, [()], SPACE)) for picture in (image, marked))
    change = np.abs(after - before).reshape(4, 10, 10).sum(0)
    assert np.unravel_index(change.argmax(), change.shape) in {(y, x) for y in (6, 7, 8) for x in (1, 2, 3)}
    assert change[0, 9] == 0


def test_where_masks_help_alike_the_place_is_taken_on_which_the_sizes_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trigger at column 5, row 4: the larger a mask, the further from it its middle may lie and still hide half of it."""
    policy = learned()
    worth = np.zeros((1, 4, 10, 10), np.float32)
    for size, reach in enumerate((0, 1, 1, 2)):
        worth[0, size, 4 - reach : 5 + reach, 5 - reach : 6 + reach] = 1.0
    worth[0, 3, 2, 3] = 1.05  # the corner of a region, by chance a little above the rest
    monkeypatch.setattr("srd_core.policy.learned.TURNS", TURNS[:1])
    monkeypatch.setattr(policy.network, "forward", lambda planes: torch.from_numpy(worth.reshape(1, 400)))
    choice = policy.choose(IMAGES[:1])[0]
    assert choice.action % 100 == SPACE.encode(gx=5, gy=4, size_index=0) and choice.action >= 100 and choice.q_gain == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sizes", "worth", "expected"),
    [
        ((0.1, 0.2, 0.3, 0.4), (1.0, 1.0, 1.0, 1.0), 3),
        ((0.1, 0.2, 0.3, 0.4), (1.0, 1.0, 1.0, 0.95), 3),
        ((0.1, 0.2, 0.3, 0.4), (1.0, 1.0, 1.0, 0.90), 2),
        ((0.1, 0.2, 0.3, 0.4), (1.5, 1.0, 1.0, 1.0), 0),
        ((0.4, 0.1, 0.3, 0.2), (1.0, 1.0, 1.0, 1.0), 0),
    ],
)
def test_of_sizes_worth_nearly_the_same_the_larger_is_taken(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[float, ...], worth: tuple[float, ...], expected: int
) -> None:
    policy = learned(space=ActionSpace(sizes=sizes))
    monkeypatch.setattr(policy.network, "forward", lambda planes: torch.tensor(worth).repeat_interleave(100).expand(len(planes), -1))
    assert policy.choose(IMAGES[:1])[0].action // 100 == expected


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_picture_gets_the_same_values_turned(turn: Turn) -> None:
    policy = learned()
    turned = turn.apply(torch.from_numpy(IMAGES).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    expected = turn.apply(policy.grids(torch.from_numpy(policy.q_values(IMAGES)[:, :400]))).flatten(1).numpy()
    assert np.allclose(policy.q_values(np.ascontiguousarray(turned))[:, :400], expected, atol=0.01)


def test_values_know_the_masks_put_before() -> None:
    policy = learned()
    assert (policy.q_values(IMAGES, [(5,)] * 6) != policy.q_values(IMAGES)).any()


def test_values_do_not_depend_on_the_batch() -> None:
    policy = learned()
    many = np.concatenate([IMAGES] * 15)
    assert np.allclose(policy.q_values(many)[-6:], policy.q_values(IMAGES), atol=0.02)


def test_of_preferences_the_largest_is_taken_whatever_its_neighbours_and_its_size() -> None:
    """One action stands out alone. As a value it would be an outlier; an actor that has learned it means it."""
    network = QNetwork(NetworkShape(grid=SPACE.grid, sizes=len(SPACE.sizes), duelling=False))
    alone = torch.zeros(1, SPACE.masks)
    alone[0, 55] = 1.0  # the smallest size, amid the picture's turns

    def read(reads: Reads) -> np.ndarray:
        return LearnedPolicy(network, SPACE, reads=reads).q_values(IMAGES[:1])[0, : SPACE.masks]

    with patch.object(network, "forward", lambda planes: alone.expand(len(planes), -1)):
        valued, taken = (read(reads) for reads in get_args(Reads))
    turned = {int(turn.undo(alone.view(1, -1, SPACE.grid, SPACE.grid)).flatten().argmax()) for turn in TURNS}
    assert set(np.flatnonzero(taken)) == turned
    assert SPACE.decode(int(valued.argmax())).size == max(SPACE.sizes)


def test_a_network_for_another_space_is_refused() -> None:
    with pytest.raises(ValueError, match="grid"):
        LearnedPolicy(QNetwork(NetworkShape(grid=5)), SPACE)


@pytest.mark.parametrize("reads", ["values", "preferences"])
def test_saved_and_loaded_it_decides_the_same(tmp_path: Path, reads: Reads) -> None:
    space = ActionSpace(6, (0.2, 0.5))
    policy = LearnedPolicy(QNetwork(NetworkShape(grid=6, sizes=2)), space, reads=reads)
    policy.save(tmp_path / "p", {"steps": 3})
    again = LearnedPolicy.load(tmp_path / "p")
    assert again.space == space and (again.q_values(IMAGES) == policy.q_values(IMAGES)).all()
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"policy.safetensors", "policy.json"}


@pytest.mark.parametrize("damage", ["no folder", "no weights", "bad weights", "bad card", "other grid", "unknown field"])
def test_a_damaged_policy_is_an_error_the_user_can_act_on(tmp_path: Path, damage: str) -> None:
    policy = learned()
    policy.save(tmp_path)
    card, weights = tmp_path / "policy.json", tmp_path / "policy.safetensors"
    content = json.loads(card.read_text())
    if damage == "no weights":
        weights.unlink()
    elif damage == "bad weights":
        weights.write_bytes(b"not safetensors")
    elif damage == "bad card":
        card.write_text("{")
    elif damage == "other grid":
        content["network"]["sizes"] = 3
        card.write_text(json.dumps(content))
    elif damage == "unknown field":
        card.write_text(json.dumps({**content, "surprise": 1}))
    with pytest.raises(SourceError, match="no usable policy"):
        LearnedPolicy.load(tmp_path / "elsewhere" if damage == "no folder" else tmp_path)
