"""Plans and sizes by name or from YAML files, and the cells that they come to."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flows.plan import Cell, Plan, problem
from flows.size import Size, placed
from srd_core.config import parsed
from srd_core.errors import ConfigError
from srd_core.suggestions import did_you_mean

Model = TypeVar("Model", bound=BaseModel)


def cells_of(
    plan: str, size: str | None = None, data: str | None = None, seeds: Sequence[int] = (), attacks: Sequence[str] = ()
) -> tuple[Plan, Size, list[Cell]]:
    """What `srd bench` is asked for; arguments as those of the flow.

    Raises:
        ConfigError: as `load_plan`, `load_size` and `Plan.cells`; names the plan.
    """
    wanted = load_plan(plan)
    at = load_size(size or wanted.size, data)
    try:
        return wanted, at, wanted.cells(at, seeds, attacks)
    except ConfigError as error:
        raise ConfigError(f"plan {plan}: {error.message}", hint=error.hint) from error


def pages_name(plan: str, wanted: Plan, size: str | None = None) -> str:
    """What names of the pages begin with, such as `table1`; with the size's name where it is not the plan's own: `table1-photos`."""
    own = size is None or size == wanted.size
    return Path(plan).stem if own else f"{Path(plan).stem}-{Path(str(size)).stem}"


def load_plan(name: str) -> Plan:
    """The plan in a YAML file, or one that comes with SRD by its name.

    Raises:
        ConfigError: no such plan, or a bad key or value.
    """
    return _parsed(Plan, "plan", name, _content("plan", name))


def load_size(size: str | Size, data: str | None = None) -> Size:
    """A size by its name, from a YAML file, or as a plan has it; `data` is the folder that its `{data}` stands for.

    Raises:
        ConfigError: no such size, a bad key or value, it needs `data`, or it takes none.
    """
    name, text = ("of the plan", size.model_dump(mode="json")) if isinstance(size, Size) else (size, _content("size", size))
    if data is not None and "{data}" not in str(text):
        raise ConfigError(f"size {name} takes no --data: its paths do not begin with {{data}}", hint="Leave --data out, or choose --size")
    content = placed(text, data)
    if "{data}" in str(content):
        raise ConfigError(f"size {name} is run on shards that do not come with SRD", hint="Name their folder: --data FOLDER")
    return _parsed(Size, "size", name, content)


def plans() -> list[str]:
    """Names of the plans that come with SRD."""
    return _names("plan")


def _content(kind: str, name: str) -> Any:
    try:
        return parsed(_text(kind, name), f"{kind} {name}")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{kind} {name} is not a text in UTF-8", hint="Start from one that comes with SRD") from error


def _parsed(model: type[Model], kind: str, name: str, content: Any) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = max(error.errors(), key=lambda problem: len(problem["loc"]))  # of a size written out, the key and not "no name"
        where = "".join(f"{place}." for place in first["loc"] if place not in ("Size", "str")).rstrip(".")
        keys, ours = ", ".join(model.model_fields), ", ".join(_names(kind))
        hint = f"Keys are {keys}" if first["type"] == "extra_forbidden" else f"Compare it with one that comes with SRD: {ours}"
        raise ConfigError(f"{kind} {name}: {where}{': ' if where else ''}{problem(first)}", hint=hint) from error


def _names(kind: str) -> list[str]:
    folder = resources.files("flows").joinpath(f"{kind}s")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def _text(kind: str, name: str) -> str:
    if name in _names(kind):  # before files: one of that name in the working folder may have come with data
        return resources.files("flows").joinpath(f"{kind}s").joinpath(f"{name}.yaml").read_text()
    if not Path(name).is_file():
        raise ConfigError(
            f"there is no {kind} {name!r}", hint=f"{did_you_mean(name, _names(kind))}Give a YAML file, or one of: {', '.join(_names(kind))}"
        )
    return Path(name).read_text()
