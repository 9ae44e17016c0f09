"""The test images of a run: clean, and with the trigger of the attack that the configuration names. Known in experiments only.

The trigger is put on the photograph at its own resolution, as `srd poison` does, then squashed.
"""

from __future__ import annotations

import numpy as np

from srd_core.attacks.base import Attack
from srd_core.attacks.prepared import find
from srd_core.config import Config
from srd_core.data.codec import Codec
from srd_core.data.images import ImageError, squash
from srd_core.data.loading import Parts, read_samples
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Image, Images, Sample
from srd_core.errors import SourceError
from srd_core.progress import track
from srd_core.scoring.ptb import tokenize
from srd_core.seeds import generator
from srd_core.stages.files import shards_of
from srd_core.stages.given import file_digests
from srd_core.stages.stage import Run
from srd_core.synthesis.geometry import Box

HOLDOUT = "trusted hold-out"
"""The test domain where none is named: the part of the trusted set that nothing is trained on."""

_AT_ONCE = 64
"""Images that get their triggers together."""


def planted(config: Config) -> Attack | None:
    """The attack that the configuration names, if it names one.

    Raises:
        ConfigError: it is unknown, or cannot plant `evaluation.target`.
    """
    if not config.evaluation.attack:
        return None
    attack = find(config.evaluation.attack)
    attack.check_target(config.evaluation.target)
    return attack


class TestSet:
    """Test images at canvas size, clean, with all their reference captions; and those that the attack is about once more, triggered.

    An image without a word among its captions is left out.

    `tested` are the rows of `triggered` among all images: every one, unless the attack is about a concept. `boxes` are their triggers'
    corners (x0, y0, x1, y1) in fractions of the canvas, None where a trigger fills the frame or there is none. Without an attack the
    triggered images are the clean ones. `instead_of` is for `attack_success`.
    """

    def __init__(self, config: Config, manifest: StageManifest, attack: Attack | None, *, holdout_only: bool) -> None:
        self.instead_of = attack.instead_of if attack else None
        self.keys: list[str] = []
        self.references: list[tuple[str, ...]] = []
        self.tested: list[int] = []
        self.boxes: list[tuple[float, float, float, float] | None] = []
        clean: list[Image] = []
        triggered: list[Image] = []
        waiting: list[tuple[Image, np.random.Generator]] = []
        parts = Parts(config.holdout)
        with Codec(config.limits) as codec:
            for item in track(read_samples(shards_of(manifest), config.limits), "read test images"):
                if config.evaluation.images is not None and len(self.keys) >= config.evaluation.images:
                    break
                if not isinstance(item, Sample) or (holdout_only and parts.of(item) != "holdout"):
                    continue
                if not any(tokenize(caption) for caption in item.captions):  # nothing to compare with
                    continue
                try:
                    image = codec.decode(item.image)
                except ImageError:
                    continue
                self.keys.append(f"{item.shard}/{item.key}")
                self.references.append(item.captions)
                clean.append(squash(image, config.canvas))
                if attack and not attack.testable(item.captions):
                    continue
                self.tested.append(len(clean) - 1)
                if attack is None:
                    continue
                waiting.append((image, generator(config.seed, "test trigger", item.shard, item.key)))
                if len(waiting) == _AT_ONCE:
                    triggered += self._triggered(attack, waiting, config.canvas)
        triggered += self._triggered(attack, waiting, config.canvas)
        if not clean:
            raise SourceError("the test set has no usable image", hint="Check evaluation.tests; left out, the trusted hold-out is used")
        if not self.tested:
            raise SourceError("the test set has no image that the attack is about", hint="Check evaluation.tests and evaluation.attack")
        self.clean: Images = np.stack(clean)
        self.triggered: Images = np.stack(triggered) if triggered else self.clean

    @property
    def tested_references(self) -> list[tuple[str, ...]]:
        """The reference captions of the triggered images."""
        return [self.references[row] for row in self.tested]

    def _triggered(self, attack: Attack | None, waiting: list[tuple[Image, np.random.Generator]], canvas: int) -> list[Image]:
        """These images with the trigger, squashed; without an attack, none. Nothing waits afterwards."""
        images, rngs = [image for image, _ in waiting], [rng for _, rng in waiting]
        waiting.clear()
        made = attack.at_test(images, rngs) if attack else []
        self.boxes += [_fractions(item.box, image) for item, image in zip(made, images, strict=False)]
        return [squash(item.image, canvas) for item in made]


def _fractions(box: Box | None, image: Image) -> tuple[float, float, float, float] | None:
    height, width = image.shape[:2]
    return (box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height) if box else None


def attack_files(run: Run) -> dict[str, str]:
    """Digest of every file of the attack that the configuration names, if it is a prepared one."""
    attack = run.config.evaluation.attack
    return file_digests(attack) if attack and "/" in attack else {}
