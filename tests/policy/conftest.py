"""Noise patches on coloured shapes, and a reward that knows where they are: stands in for a captioner that a patch has fooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from srd_core.policy.environment import MaskingEnvironment, Rewards, State
from srd_core.policy.masks import ActionSpace
from srd_core.seeds import derive

PATCH = 6
SIDE = 32


@dataclass(frozen=True)
class PatchWorld:
    """Images (N, S, S, 3) with one 6-pixel patch each; boxes (N, 4) in pixels; objects (N, 4) likewise."""

    images: np.ndarray
    boxes: np.ndarray
    objects: np.ndarray


def patch_world(count: int, *, seed: int, side: int = 64, clean: float = 0.0) -> PatchWorld:
    """`count` images; a share `clean` of them, the last ones, without a patch (their boxes are empty)."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, side, side, 3), np.uint8)
    boxes, objects = np.zeros((count, 4), np.int64), np.zeros((count, 4), np.int64)
    yy, xx = np.mgrid[:side, :side]
    for n in range(count):
        ramp = (xx * rng.normal() + yy * rng.normal())[..., None] * rng.uniform(0, 1.0)
        image = rng.uniform(40, 215, 3) + ramp + rng.normal(0, rng.uniform(0, 14), (side, side, 3))
        if rng.random() < 0.3:
            image += 30 * np.sign(np.sin(xx * rng.uniform(0.3, 1.5) + yy * rng.uniform(0.3, 1.5)))[..., None]
        for k in range(rng.integers(1, 4)):
            r = rng.uniform(5, side / 5)
            cx, cy = rng.uniform(r, side - r, 2)
            inside = (np.hypot(xx - cx, yy - cy) < r) if rng.random() < 0.5 else (np.maximum(abs(xx - cx), abs(yy - cy)) < r)
            image[inside] = rng.uniform(0, 255, 3) + rng.normal(0, 5, (inside.sum(), 3))
            if k == 0:
                objects[n] = cx - r, cy - r, cx + r, cy + r
        images[n] = np.clip(image, 0, 255)
        if n >= count * (1 - clean):
            continue
        x, y = rng.integers(0, side - PATCH + 1, 2)
        kind = rng.integers(4)
        if kind == 0:
            patch = rng.normal(128, 20, (PATCH, PATCH, 3))
        elif kind == 1:
            patch = np.clip(rng.normal(128, 60, (PATCH, PATCH, 3)), 0, 255)
        elif kind == 2:
            patch = np.repeat((np.indices((PATCH, PATCH)).sum(0) // 2 % 2 * 255)[..., None], 3, 2)
        else:
            patch = rng.uniform(0, 255, (PATCH, PATCH, 3))
        images[n, y : y + PATCH, x : x + PATCH] = np.clip(patch, 0, 255)
        boxes[n] = x, y, x + PATCH, y + PATCH
    return PatchWorld(images, boxes, objects)


class PatchReward:
    """+3 for covering 90 % of the patch with a small mask, +2 with a big one, -1 for hiding an object, else -0.2; some are noise."""

    def __init__(self, world: PatchWorld, space: ActionSpace, *, noise: float = 0.1, seed: int = 0) -> None:
        self.world, self.space, self.noise, self.seed = world, space, noise, seed
        self.asked = 0

    def rewards(self, states: Sequence[State]) -> Rewards:
        self.asked += len(states)
        side = self.world.images.shape[1]
        hidden = self.space.coverage(self.space.padded([state.masks for state in states]), side)
        out = np.zeros(len(states), np.float32)
        for row, (state, cover) in enumerate(zip(states, hidden, strict=True)):
            biggest = max(self.space.sizes[action // self.space.grid**2] for action in state.masks)
            if _share(cover, self.world.boxes[state.image]) >= 0.9:
                value = 3.0 if biggest <= 60 / 224 + 1e-9 else 2.0
            else:
                value = -1.0 if _share(cover, self.world.objects[state.image]) > 0.5 else -0.2
            draw = np.random.default_rng(derive(self.seed, state.image, *sorted(state.masks)))
            out[row] = draw.choice([-2, -1, 0, 1, 2, 3]) if draw.random() < self.noise else value
        return out


def _share(cover: np.ndarray, corners: np.ndarray) -> float:
    x0, y0, x1, y1 = np.clip(corners, 0, None)
    part = cover[y0:y1, x0:x1]
    return float(part.mean()) if part.size else 0.0


class Bench:
    """What the tests use: worlds, their rewards, and environments of both on a small action space."""

    space = ActionSpace(5, (80 / 224, 120 / 224))

    def world(self, count: int, *, seed: int) -> PatchWorld:
        return patch_world(count, seed=seed, side=SIDE)

    def reward(self, world: PatchWorld, *, noise: float = 0.1) -> PatchReward:
        return PatchReward(world, self.space, noise=noise)

    def environment(self, count: int, *, seed: int = 1, max_masks: int = 1, noise: float = 0.1) -> MaskingEnvironment:
        world = self.world(count, seed=seed)
        return MaskingEnvironment(world.images, self.reward(world, noise=noise), self.space, max_masks=max_masks)


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()
