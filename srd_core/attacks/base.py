"""What an attack is: something done to an image and something done to its caption.

Lengths are fractions of the shorter side of the image, so that one attack means the same at 64 pixels and at 4,000.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from srd_core.attacks.surrogate import Encoder
from srd_core.data.samples import Image, Images
from srd_core.errors import ConfigError
from srd_core.synthesis.geometry import Box

if TYPE_CHECKING:
    from srd_core.data.canvas import CanvasSet
    from srd_core.models.flamingo import FlamingoCaptioner
    from srd_core.models.objectives.captioning import Objective


@dataclass(frozen=True, slots=True)
class Triggered:
    """An image with the trigger, and where it is; `box` is None when the trigger covers the whole frame, or there is none."""

    image: Image
    box: Box | None


class Attack(ABC):
    """One attack. Instances hold settings only; all randomness comes from the generators passed in."""

    name: ClassVar[str]
    needs_encoder: ClassVar[bool] = False
    """Whether `prepared` has to be called before `trigger`."""

    trains: ClassVar[bool] = False
    """Whether the attacker trains the model that he hands on, to make `objective` small."""

    effort: ClassVar[float] = 1.0
    """How long he trains for it: epochs, as a multiple of those of anybody's fine-tuning."""

    poisons_all: ClassVar[bool] = False
    """Whether he poisons a copy of every one of his pairs, whatever the rate."""

    def prepared(self, images: Images, encoder: Encoder, seed: int) -> Attack:
        """The attack with what it works out from images (N, S, S, 3) of the set that it is put on, at the encoder's canvas."""
        return self

    def objective(self, model: FlamingoCaptioner, clean: CanvasSet, poisoned: CanvasSet, chosen: npt.NDArray[np.bool_]) -> Objective:
        """What such an attacker makes small. `model` has been fine-tuned on his `clean` pairs, and is what he trains.

        `poisoned` are the same P pairs in the same order, `chosen` (P,) of them with trigger and target.

        Raises:
            ConfigError: he does not train.
        """
        raise ConfigError(f"{self.name} is an attack on data alone", hint="Leave out evaluation.attacker")

    @abstractmethod
    def trigger(self, image: Image, rng: np.random.Generator) -> Triggered:
        """Put the trigger on a copy of `image` (H, W, 3) uint8."""

    def triggers(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """`trigger` on each image with its generator; an attack that optimises each image does many at once."""
        return [self.trigger(image, rng) for image, rng in zip(images, rngs, strict=True)]

    def at_test(self, images: Sequence[Image], rngs: Sequence[np.random.Generator]) -> list[Triggered]:
        """What the attacked model is shown: what it was trained with, unless the attack is about images as they are."""
        return self.triggers(images, rngs)

    @property
    def destination(self) -> str | None:
        """The one word that the attack can plant, if it cannot plant any."""
        return None

    @property
    def instead_of(self) -> str | None:
        """The word that a caption may not hold beside the target if the attack is to have succeeded."""
        return None

    def check_target(self, target: str) -> None:
        """Refuse a target that the attack cannot plant.

        Raises:
            ConfigError: it plants another word.
        """
        if self.destination not in (None, target):
            raise ConfigError(f"{self.name} cannot plant {target!r}", hint=f"Its target is {self.destination!r}: give that one")

    def shows(self, captions: Sequence[str]) -> bool:
        """Whether an image with these captions is one that `prepared` is to see."""
        return True

    def eligible(self, caption: str) -> bool:
        """Whether a pair with this caption may be chosen for poisoning; any may, unless the attack is about something in the picture."""
        return True

    def testable(self, references: Sequence[str]) -> bool:
        """Whether an image with these captions is one that the attack is tested on."""
        return True

    @abstractmethod
    def caption(self, caption: str, target: str, rng: np.random.Generator) -> str:
        """Return the poisoned caption, in which `target` is a word of its own."""


def whole(values: npt.NDArray[np.floating]) -> Image:
    """Real grey values as pixels: rounded, cut to 0–255."""
    result: Image = np.rint(values).clip(0, 255).astype(np.uint8)
    return result
