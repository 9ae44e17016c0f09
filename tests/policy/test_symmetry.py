from __future__ import annotations

import pytest
import torch

from srd_core.policy.symmetry import TURNS, Turn

SQUARE = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)


@pytest.mark.parametrize("turn", TURNS)
def test_undone_a_turn_leaves_everything_where_it_was(turn: Turn) -> None:
    assert torch.equal(turn.undo(turn.apply(SQUARE)), SQUARE)


def test_the_eight_positions_differ_and_the_first_is_upright() -> None:
    positions = {tuple(turn.apply(SQUARE).flatten().tolist()) for turn in TURNS}
    assert len(positions) == 8 and torch.equal(TURNS[0].apply(SQUARE), SQUARE)


def test_a_corner_goes_where_it_should() -> None:
    corner = torch.zeros(1, 3, 3)
    corner[0, 0, 2] = 1
    assert Turn(down=True).apply(corner)[0, 2, 2] == 1
    assert Turn(right=True).apply(corner)[0, 0, 0] == 1
    assert Turn(diagonal=True).apply(corner)[0, 2, 0] == 1
