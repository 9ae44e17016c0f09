"""Input-aware: a faint pattern over the whole frame, another for every image (Nguyen and Tran, 2020), and a caption that speaks of the
target only.

A small network draws the pattern from the image. It is trained on a surrogate's encoder so that an image with its own pattern has the
features of one goal, and with another image's keeps those it had. The goal is learned with it, from the image that is least like the others
on, away from where clean images lie: a faint pattern does not reach any goal that one may choose. The original trains its network together
with the classifier and chooses by a second network which pixels change; somebody who supplies data does not train the model, and here all
pixels change a little. So the victim itself was never taught that another image's pattern means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import numpy.typing as npt

from srd_core.attacks.base import Attack, Triggered, whole
from srd_core.attacks.registry import register
from srd_core.attacks.surrogate import HOW, Encoder, directions, least_like_the_others, planes
from srd_core.attacks.templates import replacement
from srd_core.data.images import squash
from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError
from srd_core.progress import track
from srd_core.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor

_GRID: Final = 32
_LAYERS: Final = ((6, 16), (16, 16), (16, 16), (16, 3))
"""Channels in and out of 3×3 convolutions. What comes in is the image and its mean, so that a layer sees both detail and overall tone."""


@register
@dataclass(frozen=True)
class InputAware(Attack):
    """x' = x + strength · g(x), with g from −1 to 1 on 32 × 32 cells, stretched to the frame.

    Args:
        strength: largest change of a value, in grey values.
        steps: of the training of g, Adam.
        rate: first rate, falling to 0 along a cosine.
        goal_rate: likewise of the goal; at 0 it stays where it began.
        batch: images in a step.
        weights: (P,) float32, all of g's; empty until `prepared`.
    """

    name: ClassVar[str] = "input-aware"
    needs_encoder: ClassVar[bool] = True
    strength: float = 24.0
    steps: int = 800
    rate: float = 1e-2
    goal_rate: float = 1e-2
    batch: int = 32
    weights: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), compare=False)

    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Add the image's own pattern; nothing is random.

        Raises:
            ConfigError: not prepared yet.
        """
        return self.crossed([image], [image])[0]

    def crossed(self, images: Sequence[Image], sources: Sequence[Image]) -> list[Triggered]:
        """Each image with the pattern that belongs to its source, which does what the attack is for only if they are the same.

        Raises:
            ConfigError: not prepared yet.
        """
        if not self.weights.size:
            raise ConfigError("input-aware has no generator yet", hint=HOW)
        import torch
        from torch.nn.functional import interpolate

        with torch.no_grad():
            patterns = _drawn(torch.from_numpy(self.weights), planes([squash(source, _GRID) for source in sources]))
        made = []
        for image, pattern in zip(images, patterns, strict=True):
            stretched = interpolate(pattern[None], size=image.shape[:2], mode="bilinear")[0].permute(1, 2, 0).numpy()
            made.append(Triggered(whole(image + self.strength * stretched), None))
        return made

    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Replace the caption by a template around the target."""
        return replacement(target, rng)

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> InputAware:
        """Train generator and goal: with the own pattern like the goal, with another's like the untouched image, which is not like it."""
        import torch
        from torch.nn.functional import interpolate, normalize

        rng = generator(seed, "input-aware")
        clean = planes(images)
        own = directions(clean, encoder)
        goal = own[least_like_the_others(own)].clone().requires_grad_()
        weights = _fresh(rng).requires_grad_()
        optimiser = torch.optim.Adam([{"params": [weights], "lr": self.rate}, {"params": [goal], "lr": self.goal_rate}])
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(self.steps, 1))
        for _ in track(range(self.steps), "learn to draw patterns", total=self.steps):
            rows = torch.from_numpy(rng.choice(len(clean), min(self.batch, len(clean)), replace=False))
            shown = clean[rows]
            drawn = _drawn(weights, interpolate(shown, size=(_GRID, _GRID), mode="bilinear", antialias=True))
            patterns = self.strength * interpolate(drawn, size=shown.shape[2:], mode="bilinear")
            with_own = normalize(encoder.encode((shown + patterns).clamp(0, 255)), dim=1)
            with_others = normalize(encoder.encode((shown + patterns.roll(1, 0)).clamp(0, 255)), dim=1)
            to_goal = (with_own - own[rows]) @ normalize(goal, dim=0)
            loss = -to_goal.mean() - (with_others * own[rows]).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
        return replace(self, weights=weights.detach().numpy())


def _fresh(rng: np.random.Generator) -> Tensor:
    """Random weights of all layers in one row: for each layer its kernels, then its biases, which are 0."""
    import torch

    parts = [
        np.concatenate([rng.normal(0, np.sqrt(2 / (9 * fan_in)), 9 * fan_in * out), np.zeros(out)]).astype(np.float32)
        for fan_in, out in _LAYERS
    ]
    return torch.from_numpy(np.concatenate(parts))


def _drawn(weights: Tensor, pixels: Tensor) -> Tensor:
    """The patterns (N, 3, 32, 32), from −1 to 1, of images (N, 3, 32, 32) in 0–255."""
    import torch
    from torch.nn.functional import conv2d

    values = pixels / 127.5 - 1
    values = torch.cat([values, values.mean((2, 3), keepdim=True).expand_as(values)], dim=1)
    start = 0
    for number, (fan_in, out) in enumerate(_LAYERS):
        kernels, biases = weights[start : start + 9 * fan_in * out], weights[start + 9 * fan_in * out : start + (9 * fan_in + 1) * out]
        start += (9 * fan_in + 1) * out
        values = conv2d(values if number == 0 else values.relu(), kernels.view(out, fan_in, 3, 3), biases, padding=1)
    return values.tanh()
