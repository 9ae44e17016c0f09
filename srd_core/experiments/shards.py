"""An experiment on shards that are there already, of whatever size."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from srd_core.data.inventory import take_inventory
from srd_core.data.manifest import digest
from srd_core.experiments.planted import ExperimentData, Planted, begin, mark_of, plant, weights_of


class ShardExperiment(Planted):
    """On shards that are there already. Sources as everywhere: a folder, a `*.tar` glob, `s3://…`."""

    kind: Literal["shards"] = "shards"
    trusted: str
    suspect: str = Field(description="Clean; a poisoned copy is made")
    tests: dict[str, str] = Field(min_length=1, description="Name → source; the first is the one that the model is trained for")
    surrogate: str | None = Field(None, description="Captioner on whose vision encoder attacks are optimised, where they are")

    def make(self, folder: Path) -> ExperimentData:
        """Write the poisoned copy into `folder`, which may hold it already.

        Raises:
            SrdError: as `plant`.
        """
        begin(folder, self.mark)
        return plant(self, self.suspect, folder, self.surrogate, self.seed, trusted=self.trusted, tests=self.tests)

    @property
    def content(self) -> dict[str, str]:
        """Digest of each source's inventory, the same for a copy elsewhere; and of the surrogate, where the attack needs one.

        Raises:
            SourceError: nothing at one of the sources.
        """
        places = {"trusted": self.trusted, "suspect": self.suspect, **{f"test:{name}": place for name, place in self.tests.items()}}
        known = {role: take_inventory(place).digest for role, place in places.items()}
        weights = weights_of(self.surrogate) if self.made.needs_encoder else {}
        return known | ({"surrogate": digest(weights)} if weights else {})

    @property
    def mark(self) -> str:
        """Other settings, other code or other shards make other data.

        Raises:
            SourceError: nothing at one of the sources.
        """
        return mark_of(self, self.surrogate, *(take_inventory(place).digest for place in (self.suspect, *self.tests.values())))
