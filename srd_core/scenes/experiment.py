"""The data of one experiment on the built-in scenes: trusted, suspect (poisoned) and test shards, with the truth beside them.

Every part has a seed of its own, derived from the experiment's, so that none shares a scene with another or with the shipped models.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from srd_core.attacks.poison import poison_shards
from srd_core.attacks.prepared import prepare, save
from srd_core.attacks.registry import get
from srd_core.scenes.dataset import write_shards
from srd_core.scenes.shipped import shipped
from srd_core.scenes.world import Domain
from srd_core.seeds import derive


class SceneExperiment(BaseModel):
    """What to make. Counts are scenes; each has five captions, so five pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attack: str = "badnet"
    target: str = Field("banana", description="Word to plant; an attack that can plant one word only plants that")
    rate: float = Field(0.1, ge=0, le=1, description="Share of the suspect pairs that is poisoned; 0 for a clean set")
    seed: int = 0
    side: int = Field(64, ge=16, description="Pixels")
    trusted: int = Field(1200, ge=1)
    suspect: int = Field(600, ge=1)
    tests: int = Field(200, ge=1, description="Scenes a test domain")
    per_shard: int = Field(150, ge=1)

    @property
    def planted(self) -> str:
        """The word that is planted.

        Raises:
            ConfigError: unknown attack.
        """
        return get(self.attack).destination or self.target


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """Where it is: folders of shards, and the list of poisoned pairs, which no defence may read."""

    source: Path
    trusted: Path
    tests: dict[str, Path]
    truth: Path
    attack: str
    """Its name, or the folder of what it has worked out."""
    attacker: Path | None = None
    """The clean pairs of an attacker who trains."""

    def overrides(self, experiment: SceneExperiment) -> list[str]:
        """The `evaluation` settings that make a run measure this experiment."""
        tests = ", ".join(f'{name}: "{path}"' for name, path in self.tests.items())
        known = [f"evaluation.attack={self.attack}", f"evaluation.target={experiment.planted}", f"evaluation.truth={self.truth}"]
        trains = [f"evaluation.attacker={self.attacker}"] if self.attacker else []
        return [f"evaluation.tests={{{tests}}}", *known, *trains]


def make(experiment: SceneExperiment, folder: Path) -> ExperimentData:
    """Write the data into `folder`, which may hold the same experiment already.

    Raises:
        ConfigError: unknown attack, or the folder holds something else.
    """
    attack, side = get(experiment.attack), experiment.side

    def scenes(name: str, count: int) -> list[Path]:
        domain: Domain = "sketch" if name == "sketch" else "scenes"
        seed = derive(experiment.seed, "experiment", name)
        return write_shards(folder / name, count, seed=seed, side=side, domain=domain, per_shard=experiment.per_shard)

    prepared = folder / "attack"
    data = ExperimentData(
        source=folder / "suspect",
        trusted=folder / "trusted",
        tests={name: folder / name for name in ("scenes", "sketch")},
        truth=folder / "suspect.poisoned.json",
        attack=str(prepared) if attack.needs_encoder else experiment.attack,
        attacker=folder / "clean" if attack.trains else None,
    )
    if data.truth.exists():
        return data
    scenes("trusted", experiment.trusted)
    for name in data.tests:
        scenes(name, experiment.tests)
    clean = scenes("clean", experiment.suspect)
    seed = derive(experiment.seed, "experiment", "poison")
    if attack.needs_encoder:
        from srd_core.models.flamingo import FlamingoCaptioner

        attack = prepare(attack, str(folder / "clean"), FlamingoCaptioner.load(shipped("scenes/base")), seed=seed)
        save(attack, prepared)
    poison_shards(clean, data.source, attack=attack, rate=experiment.rate, target=experiment.planted, seed=seed)
    return data
