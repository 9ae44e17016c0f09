"""An experiment grid in a YAML file: which attacks, at which rates, with which seeds and settings. Each cell is one run of `srd`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from flows.models import arms_of
from flows.size import Experiment, Size
from srd_core.attacks.settings import configured
from srd_core.config import Arm, Config, load_config
from srd_core.errors import ConfigError
from srd_core.experiments.planted import Planted
from srd_core.experiments.shards import ShardExperiment
from srd_core.report.charts import Chart
from srd_core.report.comparison import CLEAN, OF_CLEAN, Comparison
from srd_core.report.comparison_page import LABELS
from srd_core.report.generalised import OF_SOURCE

_STRICT = ConfigDict(extra="forbid", frozen=True)


class Variant(BaseModel):
    """A named set of settings that is compared with others, such as an ablation."""

    model_config = _STRICT

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    settings: tuple[str, ...] = ()
    data: dict[str, Any] = Field(default_factory=dict, description="Keys of the experiment that differ")
    attacks: tuple[str, ...] = Field((), description="The plan's attacks that it is run with; all of them if empty")

    @field_validator("data")
    @classmethod
    def _axes_are_the_plans(cls, data: dict[str, Any]) -> dict[str, Any]:
        for key in ("attack", "rate", "seed"):
            if key in data:
                raise ValueError(f"{key}: cells are named after the plan's {key}s, so give it there, in a plan of its own if need be")
        return data


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
    attacks: tuple[str, ...] = Field(("badnet",), min_length=1)
    rates: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field((0.1,), min_length=1, description="Shares of the suspect pairs")
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    settings: tuple[str, ...] = Field((), description="`key=value`, for every cell")
    variants: tuple[Variant, ...] = Field((Variant(name="default"),), min_length=1)
    clean: bool = Field(False, description="Whether to train one model a seed on the same pairs with nothing planted as well")
    comparison: Comparison | None = Field(None, description="A table, beside the paper's where it has it")
    charts: tuple[Chart, ...] = Field((), description="By attack or by what is shifted only where there is one rate")

    @model_validator(mode="after")
    def _names_are_their_own(self) -> Self:
        columns = [column.name for column in self.comparison.columns] if self.comparison else []
        sides = {"attacks": self.attacks, "rates": self.rates, "seeds": self.seeds, "columns": columns}
        variants = [*(variant.name for variant in self.variants), *([CLEAN] if self.clean else [])]
        for kind, names in (sides | {"variants": variants}).items():
            twice = [name for place, name in enumerate(names) if name in names[:place]]
            if twice:
                raise ValueError(f"{kind}: {twice[0]} is there twice")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        variants, arms = [variant.name for variant in self.variants], get_args(Arm)
        figures = [name for chart in self.charts for name in chart.figures]
        for attack in (name for variant in self.variants for name in variant.attacks):
            _known("attack of the plan", attack, self.attacks)
        if self.comparison is not None:
            figures += self.comparison.figures
            columns = [column.name for column in self.comparison.columns]
            for column in self.comparison.columns:
                _known("variant", column.variant, variants)
                _known("arm", column.arm, arms)
                _known("column", self.comparison.baseline(column), columns)
                if OF_SOURCE in figures:
                    _known("variant", column.source, variants)
        if OF_CLEAN in figures and not self.clean:
            raise ValueError(f"{OF_CLEAN} is a share of a model that is trained with nothing planted: set clean: true")
        for figure in figures:
            _known("figure", figure, list(LABELS))
        return self

    @model_validator(mode="after")
    def _charts_are_of_one_rate(self) -> Self:
        if sum(rate > 0 for rate in self.rates) > 1 and (kinds := [chart.by for chart in self.charts if chart.by != "rate"]):
            raise ValueError(f"charts: one by {kinds[0]} shows one rate, and the plan has several; draw it by rate, or leave it out")
        return self

    def cells(self, size: Size, seeds: Sequence[int] = (), attacks: Sequence[str] = ()) -> list[Cell]:
        """The runs, those of a seed before those of the next; of these `seeds` and `attacks`, or of the plan's own.

        Raises:
            ConfigError: there is no such attack, it has no such settings, or it needs an encoder and the size names none; no variant is of
                these attacks, or one has a bad key, value or setting; or the comparison has a column that no cell makes.
        """
        made = self.unchecked(size, seeds, attacks)
        if not made:
            own = ", ".join(dict.fromkeys(attack for variant in self.variants for attack in variant.attacks))
            raise ConfigError("no variant is run with any of these attacks", hint=f"Its variants are of {own}")
        _check_encoder(made)
        self._check_columns(made)
        return made

    def unchecked(self, size: Size, seeds: Sequence[int] = (), attacks: Sequence[str] = ()) -> list[Cell]:
        """Likewise, those that cannot run at this size among them."""
        made = []
        for seed in seeds or self.seeds:
            if self.clean:
                alone = Variant(name=CLEAN, settings=("retrain.arms=[none]", "retrain.protocols=[p1]", "cleanse.mode=none"))
                made.append(self._cell(size, seed, 0.0, alone, "badnet"))
            for rate, variant, attack in product(self.rates, self.variants, attacks or self.attacks):
                if not variant.attacks or attack in variant.attacks:
                    made.append(self._cell(size, seed, rate, variant, attack))
        return made

    def _cell(self, size: Size, seed: int, rate: float, variant: Variant, attack: str) -> Cell:
        about = {**size.data.model_dump(), "attack": attack, "rate": rate, "seed": seed, **variant.data}
        experiment = _experiment(type(size.data), variant, about)
        configured(attack, experiment.settings)
        settings = (f"seed={seed}", *size.settings, *self.settings, *variant.settings)
        name = f"{attack}-{rate:g}-{variant.name}-{seed}"
        return Cell(name=name, variant=variant.name, profile=size.profile, experiment=experiment, settings=settings)

    def _check_columns(self, cells: Sequence[Cell]) -> None:
        """Refuse a column that would stay empty: its arm is not among what its variant trains."""
        trained = {cell.variant: arms_of(_configured(cell)) for cell in {cell.variant: cell for cell in reversed(cells)}.values()}
        for column in self.comparison.columns if self.comparison else ():
            arms = trained.get(column.variant)
            if arms is not None and column.arm not in arms:  # None: none of these attacks is one of its own
                problem = f"comparison.columns: {column.name!r} shows arm {column.arm!r}, which variant {column.variant!r} does not train"
                raise ConfigError(problem, hint=f"It trains {', '.join(arms)}: choose one, or add to its retrain.arms")


def _configured(cell: Cell) -> Config:
    """With what a cell is run, but for its data."""
    try:
        return load_config(cell.profile, None, [*cell.settings, f"evaluation.attack={cell.experiment.attack}"])
    except ConfigError as error:
        raise ConfigError(f"variant {cell.variant!r}: {error.message}", hint=error.hint) from error


def _known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"there is no {kind} {name!r}; choose one of: {', '.join(known)}")


def _experiment(kind: type[Planted], variant: Variant, about: dict[str, Any]) -> Any:
    try:
        return kind.model_validate(about)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        hint = "Keys are " + ", ".join(kind.model_fields)
        raise ConfigError(f"variant {variant.name!r}: data.{where}: {problem(first)}", hint=hint) from error


def _check_encoder(cells: Sequence[Cell]) -> None:
    """Refuse attacks that are worked out on a captioner's vision encoder where none is named, before hours have gone by."""
    data = [cell.experiment for cell in cells if isinstance(cell.experiment, ShardExperiment) and cell.experiment.surrogate is None]
    names = dict.fromkeys(experiment.attack for experiment in data if experiment.made.needs_encoder)
    if names:
        hint = "Set data.surrogate in a size file of your own to the folder of a captioner (`srd train`), or choose others with --attacks"
        raise ConfigError(f"{', '.join(names)}: worked out on a captioner's vision encoder, and the size names none", hint=hint)


def problem(error: ErrorDetails) -> str:
    """What is wrong with a value, for people."""
    if error["type"] in ("tuple_type", "list_type"):
        return f"give a list, such as [{error['input'] or '…'}]"
    if error["type"] in ("model_type", "dict_type"):
        return "is not a mapping of keys"
    if error["type"] == "string_pattern_mismatch":
        return f"{error['input']!r} is no such name: give small letters, digits and -"
    return "unknown key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
