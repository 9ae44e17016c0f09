"""An experiment grid in a YAML file: which attacks, at which rates, with which seeds and settings. Each cell is one run of `srd`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.size import Experiment, Size, placed
from srd_core.attacks.registry import get
from srd_core.errors import ConfigError
from srd_core.report.charts import Chart
from srd_core.report.comparison import Comparison

_STRICT = ConfigDict(extra="forbid", frozen=True)

Model = TypeVar("Model", bound=BaseModel)


class Variant(BaseModel):
    """A named set of settings that is compared with others, such as an ablation."""

    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    settings: tuple[str, ...] = ()
    data: dict[str, Any] = Field(default_factory=dict, description="Keys of the experiment that differ")


class Cell(BaseModel):
    """One run."""

    model_config = _STRICT

    name: str
    variant: str
    profile: str
    experiment: Experiment
    settings: tuple[str, ...]


class Plan(BaseModel):
    """Every combination of attack, rate, seed and variant, at some size."""

    model_config = _STRICT

    title: str = ""
    size: str | Size = Field("scenes", description="Name of a size, a YAML file, or one written out here")
    attacks: tuple[str, ...] = ("badnet",)
    rates: tuple[float, ...] = (0.1,)
    seeds: tuple[int, ...] = (0,)
    settings: tuple[str, ...] = Field((), description="`key=value`, for every cell")
    variants: tuple[Variant, ...] = (Variant(name="default"),)
    clean: bool = Field(False, description="Whether to train one model a seed on the same pairs with nothing planted as well")
    comparison: Comparison | None = Field(None, description="A table, beside the paper's where it has it")
    charts: tuple[Chart, ...] = ()

    def cells(self, size: Size, seeds: Sequence[int] = (), attacks: Sequence[str] = ()) -> list[Cell]:
        """The runs, those of a seed before those of the next; of these `seeds` and `attacks`, or of the plan's own.

        Raises:
            ConfigError: there is no such attack.
        """
        made = []
        for seed in seeds or self.seeds:
            if self.clean:
                alone = Variant(name="clean", settings=("retrain.arms=[none]", "retrain.protocols=[p1]", "cleanse.mode=none"))
                made.append(self._cell(size, seed, 0.0, alone, "badnet"))
            made += [self._cell(size, seed, *rest) for rest in product(self.rates, self.variants, attacks or self.attacks)]
        return made

    def _cell(self, size: Size, seed: int, rate: float, variant: Variant, attack: str) -> Cell:
        get(attack)
        about = {**size.data.model_dump(), "attack": attack, "rate": rate, "seed": seed, **variant.data}
        experiment = type(size.data).model_validate(about)
        settings = (f"seed={seed}", *size.settings, *self.settings, *variant.settings)
        name = f"{attack}-{rate:g}-{variant.name}-{seed}"
        return Cell(name=name, variant=variant.name, profile=size.profile, experiment=experiment, settings=settings)


def load_plan(name: str) -> Plan:
    """The plan in a YAML file, or one that comes with SRD by its name.

    Raises:
        ConfigError: no such plan, or a bad key or value.
    """
    return _parsed(Plan, "plan", name, _content("plan", name))


def load_size(size: str | Size, data: str | None = None) -> Size:
    """A size by its name, from a YAML file, or as a plan has it; `data` is the folder that its `{data}` stands for.

    Raises:
        ConfigError: no such size, a bad key or value, or it needs `data`.
    """
    if isinstance(size, Size):
        return size
    content = placed(_content("size", size), data)
    if "{data}" in str(content):
        raise ConfigError(f"size {size} is run on shards that do not come with SRD", hint="Name their folder: --data FOLDER")
    return _parsed(Size, "size", size, content)


def plans() -> list[str]:
    """Names of the plans that come with SRD."""
    return _names("plan")


def _content(kind: str, name: str) -> Any:
    try:
        return yaml.safe_load(_text(kind, name))
    except yaml.YAMLError as error:
        raise ConfigError(f"{kind} {name} is not YAML: {str(error).splitlines()[0]}", hint="Start from one that comes with SRD") from error


def _parsed(model: type[Model], kind: str, name: str, content: Any) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or f"the {kind}"
        raise ConfigError(f"{kind} {name}: {where}: {first['msg']}", hint="Keys are " + ", ".join(model.model_fields)) from error


def _names(kind: str) -> list[str]:
    folder = resources.files("flows").joinpath(f"{kind}s")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _text(kind: str, name: str) -> str:
    if Path(name).is_file():
        return Path(name).read_text()
    if name not in _names(kind):
        raise ConfigError(f"there is no {kind} {name!r}", hint="Give a YAML file, or one of: " + ", ".join(_names(kind)))
    return resources.files("flows").joinpath(f"{kind}s").joinpath(f"{name}.yaml").read_text()
