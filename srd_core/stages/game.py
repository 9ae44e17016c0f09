"""The game that a policy learns: synthetic images, the sparring victim's captions, rewarded by their SFS. Bounds are those of this game."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from srd_core.errors import SourceError
from srd_core.policy.environment import MaskingEnvironment
from srd_core.policy.reward_source import CaptionReward
from srd_core.seeds import generator
from srd_core.stages.captioners import captioner
from srd_core.stages.stage import Inputs, Run
from srd_core.stages.synthesize import load_synthetic
from srd_core.stages.trusted import fidelity

Rows = npt.NDArray[np.int64]


class Game:
    """What the inputs `synthetic`, `sparring`, `reference` and `fluency` hold.

    `measured` are the rows of the synthetic set that are held out, `rest` those of other photographs, both in random order.

    Raises:
        SourceError: too few pairs or photographs for two parts.
    """

    def __init__(self, run: Run, inputs: Inputs, folder: Path) -> None:
        self._rule = run.config.reward.rule
        self.synthetic = load_synthetic(run, inputs["synthetic"], folder)
        self.victim, self._reference = captioner(inputs["sparring"], folder), captioner(inputs["reference"], folder)
        self._scorer = fidelity(run, inputs, folder, precision="auto")
        rng = generator(run.config.seed, "learn", "split")
        self.measured, self.rest = map(rng.permutation, split(self.synthetic.photographs, run.config.policy.held_out, rng))
        if not len(self.measured) or not len(self.rest):
            raise SourceError(
                f"{len(self.synthetic)} synthetic pairs are too few to learn on some and to measure on those of other photographs",
                hint="Give a larger trusted set: a few thousand pairs are useful, eight of several photographs the least",
            )

    def environment(self, rows: Rows, *, max_masks: int) -> MaskingEnvironment:
        """The game on these images. Their reference captions are made now."""
        images = self.synthetic.images[rows]
        source = CaptionReward(self.victim, self._scorer, self._reference.caption(images), self._rule, images)
        return MaskingEnvironment(images, source, max_masks=max_masks)

    def boxes(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Corners of their triggers (x0, y0, x1, y1) in pixels of the canvas, (N, 4)."""
        return np.asarray([[box.x0, box.y0, box.x1, box.y1] for box in (self.synthetic.boxes[i] for i in rows)], dtype=np.int64)


def split(photographs: Rows, held_out: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows that are held out, `held_out` but a quarter at most, and those that show none of the same photographs."""
    turns = rng.permutation(int(photographs.max(initial=0)) + 1)
    order = np.argsort(turns[photographs], kind="stable")
    held = order[: min(held_out, len(order) // 4)]
    return held, order[~np.isin(photographs[order], photographs[held])]
