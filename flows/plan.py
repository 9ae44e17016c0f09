"""An experiment grid in a YAML file: which attacks, at which rates, with which seeds and settings. Each cell is one run of `srd`."""

from __future__ import annotations

from importlib import resources
from itertools import product
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from srd_core.errors import ConfigError
from srd_core.scenes.experiment import SceneExperiment

_STRICT = ConfigDict(extra="forbid", frozen=True)


class Variant(BaseModel):
    """A named set of settings that is compared with others, such as an ablation."""

    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    settings: tuple[str, ...] = ()


class Plan(BaseModel):
    """Every combination of attack, rate, seed and variant, on the built-in scenes."""

    model_config = _STRICT

    profile: str = "scenes"
    attacks: tuple[str, ...] = ("badnet",)
    rates: tuple[float, ...] = (0.1,)
    seeds: tuple[int, ...] = (0,)
    settings: tuple[str, ...] = Field((), description="`key=value`, for every cell")
    variants: tuple[Variant, ...] = (Variant(name="default"),)
    data: SceneExperiment = Field(SceneExperiment(), description="Sizes of the data; attack, rate and seed are set cell by cell")

    def cells(self) -> list[Cell]:
        """The runs, cheapest to compare first: all attacks of a seed before the next seed."""
        grid = product(self.seeds, self.rates, self.variants, self.attacks)
        return [self._cell(seed, rate, variant, attack) for seed, rate, variant, attack in grid]

    def _cell(self, seed: int, rate: float, variant: Variant, attack: str) -> Cell:
        experiment = self.data.model_copy(update={"attack": attack, "rate": rate, "seed": seed})
        settings = (f"seed={seed}", *self.settings, *variant.settings)
        return Cell(name=f"{attack}-{rate:g}-{variant.name}-{seed}", profile=self.profile, experiment=experiment, settings=settings)


class Cell(BaseModel):
    """One run."""

    model_config = _STRICT

    name: str
    profile: str
    experiment: SceneExperiment
    settings: tuple[str, ...]


def load_plan(name: str) -> Plan:
    """The plan in a YAML file, or one that comes with SRD by its name.

    Raises:
        ConfigError: no such plan, or a bad key or value.
    """
    text = _text(name)
    try:
        return Plan.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"plan {name} is not YAML: {str(error).splitlines()[0]}", hint="Start from one that comes with SRD") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the plan"
        raise ConfigError(f"plan {name}: {where}: {first['msg']}", hint="Keys are " + ", ".join(Plan.model_fields)) from error


def plans() -> list[str]:
    """Names of the plans that come with SRD."""
    folder = resources.files("flows").joinpath("plans")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _text(name: str) -> str:
    if Path(name).is_file():
        return Path(name).read_text()
    if name not in plans():
        raise ConfigError(f"there is no plan {name!r}", hint="Give a YAML file, or one of: " + ", ".join(plans()))
    return resources.files("flows").joinpath("plans").joinpath(f"{name}.yaml").read_text()
