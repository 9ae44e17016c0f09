"""The command that makes the scenes world's shipped models: `python -m srd_core.scenes.pretrain FOLDER`.

Base and reference have the same size but other weights, scenes and seeds, so that they do not err together. The base has seen stickers and
veils (`srd_core.models.marks`), as a published encoder has; the reference has not, and speaks of shapes only. Nothing of them was chosen
on scenes that an experiment uses: experiments draw from other seeds.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from srd_core.models.architecture import Architecture, CrossAttentionConfig, LanguageConfig, ResamplerConfig, VisionConfig
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.marks import with_marks
from srd_core.models.schedule import FitReport, Schedule
from srd_core.models.sight import teach_sight
from srd_core.scenes.dataset import canvas_set
from srd_core.seeds import derive

ARCHITECTURE = Architecture(
    canvas=64,
    max_tokens=40,
    vision=VisionConfig(kind="convolutions", patch=8, width=128, layers=2),
    language=LanguageConfig(vocabulary=400, width=128, layers=2, heads=4),
    resampler=ResamplerConfig(depth=2, latents=16, heads=4, head_width=32),
    cross_attention=CrossAttentionConfig(heads=4, head_width=32, gate=0.5),
)
STICKERS, VEILS = 0.4, 0.25


class Recipe(BaseModel):
    """How one model is made: `scenes` fresh ones, `sight` epochs of learning to see, then `schedule`. `seed` of scenes and weights."""

    model_config = ConfigDict(frozen=True)

    seed: int
    scenes: int
    sight: float
    schedule: Schedule


ROLES = {
    "base": Recipe(seed=101, scenes=6000, sight=12, schedule=Schedule(epochs=8, batch_size=80, learning_rate=0.0015, precision="bfloat16")),
    "reference": Recipe(
        seed=202, scenes=12000, sight=8, schedule=Schedule(epochs=9, batch_size=80, learning_rate=0.0015, precision="bfloat16")
    ),
}
"""The reference sees twice as many scenes: what it gets wrong is noise in every reward. The format is the one that the shipped weights
were made in, also where the processor only imitates it."""


def pretrain(role: str, folder: Path, recipe: Recipe | None = None) -> FitReport:
    """Train one model, by its own recipe or another, and save it in `folder`."""
    recipe = recipe or ROLES[role]
    pairs = canvas_set(recipe.scenes, seed=recipe.seed, side=ARCHITECTURE.canvas, folder=folder / ".pixels")
    if role == "base":
        pairs = with_marks(pairs, folder / ".pixels", stickers=STICKERS, veils=VEILS, seed=recipe.seed)
    model = FlamingoCaptioner.create(ARCHITECTURE, pairs.captions, seed=derive(recipe.seed, role, "weights"))
    teach_sight(model.network, pairs, epochs=recipe.sight, seed=derive(recipe.seed, role, "sight"))
    report = model.fit(pairs, recipe.schedule, seed=derive(recipe.seed, role, "fit"))
    model.save(folder, half=True)
    (folder / "training.json").write_text(json.dumps({"recipe": recipe.model_dump(), "fit": asdict(report)}, indent=1))
    for path in (folder / ".pixels").iterdir():
        path.unlink()
    (folder / ".pixels").rmdir()
    return report


def main() -> None:
    """Train the models named on the command line (both by default)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--role", choices=tuple(ROLES), action="append")
    arguments = parser.parse_args()
    for role in arguments.role or ROLES:
        pretrain(role, arguments.folder / role)


if __name__ == "__main__":
    main()
