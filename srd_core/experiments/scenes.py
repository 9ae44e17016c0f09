"""An experiment on the built-in scenes, rendered as it is made.

Every part has a seed of its own, derived from the experiment's, so that none shares a scene with another or with the shipped models.
"""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import Literal

from pydantic import Field

from srd_core.experiments.planted import TRUTH, ExperimentData, Planted, begin, mark_of, plant
from srd_core.scenes.dataset import write_shards
from srd_core.scenes.world import Domain
from srd_core.seeds import derive

_SURROGATE = "package:scenes/base"


class SceneExperiment(Planted):
    """Counts are scenes; each has five captions, so five pairs."""

    kind: Literal["scenes"] = "scenes"
    side: int = Field(64, ge=16, description="Pixels")
    trusted: int = Field(1200, ge=1)
    suspect: int = Field(600, ge=1)
    tests: int = Field(200, ge=1, description="Scenes a test domain")
    per_shard: int = Field(150, ge=1)

    def make(self, folder: Path) -> ExperimentData:
        """Write the data into `folder`, which may hold the same experiment already.

        Raises:
            SrdError: as `plant`.
        """
        parts = {"trusted": self.trusted, "scenes": self.tests, "sketch": self.tests, "clean": self.suspect}
        begin(folder, self.mark)
        if not (folder / TRUTH).exists():
            for name, count in parts.items():
                self._render(folder / name, count)
        seed = derive(self.seed, "experiment", "poison")
        tests = {name: str(folder / name) for name in ("scenes", "sketch")}
        return plant(self, str(folder / "clean"), folder, _SURROGATE, seed, trusted=str(folder / "trusted"), tests=tests)

    @property
    def mark(self) -> str:
        """Other settings or other code make other data."""
        return mark_of(self, _SURROGATE)

    def _render(self, folder: Path, count: int) -> None:
        domain: Domain = "sketch" if folder.name == "sketch" else "scenes"
        seed = derive(self.seed, "experiment", folder.name)
        rmtree(folder, ignore_errors=True)
        write_shards(folder, count, seed=seed, side=self.side, domain=domain, per_shard=self.per_shard)
