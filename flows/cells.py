"""The cells of a grid on disk: where each is kept, which are finished, here or on another machine, and who is at one now."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

from flows.plan import Cell
from flows.record import fault
from srd_core.config import Config, load_config
from srd_core.data.manifest import digest
from srd_core.errors import ConfigError
from srd_core.places import about_place
from srd_core.stages.claim import WITHOUT_EFFECT
from srd_core.storage.whole import replaced

Made = dict[str, Any]
"""What is known of a finished cell: settings, the configuration that they came to, the content of shards, verdict, scores, seconds, and
what made it."""

_SUMMARY = "cell.json"
_KEYS = frozenset(("cell", "digest", "settings", "seconds", "verdict", "scores"))


def identity(cell: Cell) -> str:
    """Hex digest of all that a cell is: its name, its data, and the whole configuration that its profile and settings come to.

    Plans share a cell where all of that is the same, and only there, since a sink belongs to one run. An edited profile makes other
    cells, and so does another default of the attack; a new setting of the configuration, left at its default, does not. Nor does a
    default that is changed later, which is why a cell's record holds all settings. Which code made a cell is in its `origin`, and pages
    tell where that differs.
    """
    config = _config(cell).model_dump(mode="json", exclude=WITHOUT_EFFECT, exclude_defaults=True)
    return digest({"name": cell.name, "experiment": cell.experiment.whole, "configuration": config})


def configuration(cell: Cell) -> dict[str, Any]:
    """Every setting of a cell that has an effect, those left at their defaults too; JSON-ready."""
    return _config(cell).model_dump(mode="json", exclude=WITHOUT_EFFECT)


def _config(cell: Cell) -> Config:
    return load_config(cell.profile, None, cell.settings)


def is_of(made: Made, cell: Cell) -> bool:
    """Whether that is this cell: its digest is the same, and so are its data and every setting of its record, if it has them.

    Settings that have come since then were left at what they are by default. The digest knows shards by their place only.

    Raises:
        SourceError: there are no shards to compare.
    """
    return _has_settings(made, cell) and (not made.get("data") or bool(made["data"] == cell.experiment.content))


def _has_settings(made: Made, cell: Cell) -> bool:
    return (made["cell"], made["digest"]) == (cell.name, identity(cell)) and _holds(made.get("configuration", {}), configuration(cell))


def _holds(recorded: Any, now: Any) -> bool:
    if isinstance(recorded, dict) and isinstance(now, dict):
        return all(key in now and _holds(value, now[key]) for key, value in recorded.items())
    return bool(recorded == now)


def place_of(cell: Cell, folder: Path) -> Path:
    """Where a cell is kept."""
    return _place(cell.name, identity(cell), folder)


def kept_at(made: Mapping[str, Any], folder: Path) -> Path:
    """Where a cell is kept of which this is known."""
    return _place(made["cell"], made["digest"], folder)


def _place(name: str, identified: str, folder: Path) -> Path:
    return folder / "cells" / f"{name}-{identified[:8]}"


def keep(cell: Cell, made: Made, folder: Path) -> None:
    """Write down what is known of a cell."""
    place = place_of(cell, folder)
    place.mkdir(parents=True, exist_ok=True)
    put(place / _SUMMARY, json.dumps(made, indent=1))


def put(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all: other processes read it meanwhile."""
    with about_place(path), replaced(path) as file:
        file.write_bytes(content.encode() if isinstance(content, str) else content)


def known(cell: Cell, folder: Path) -> Made | None:
    """What was made with these settings of these data, here (and its sink is still there) or elsewhere.

    Raises:
        SrdError: its data are on shards that cannot be listed.
    """
    made = _recorded(cell, folder)
    return made if made is not None and is_of(made, cell) else None


def recorded(cells: Sequence[Cell], folder: Path) -> list[Made]:
    """As `finished`, for pages: nobody looks at shards, which may have been moved since, or lie in a store that does not answer."""
    return [made for cell in cells if (made := _recorded(cell, folder)) is not None]


def _recorded(cell: Cell, folder: Path) -> Made | None:
    place = place_of(cell, folder)
    if not (place / _SUMMARY).exists():
        return None
    try:
        made = json.loads((place / _SUMMARY).read_text())
    except ValueError:
        made = None
    if not _is_summary(made):  # damaged: made again
        return None
    if "adopted" in made and fault(made):  # kept by a version that looked less closely
        return None
    there = "adopted" in made or (place / "sink" / "MANIFEST.json").exists()
    return made if there and _has_settings(made, cell) else None


def finished(cells: Sequence[Cell], folder: Path) -> list[Made]:
    """What is known of those that are finished."""
    return [made for cell in cells if (made := known(cell, folder)) is not None]


def offered(files: Sequence[Path]) -> dict[str, Made]:
    """What `PLAN.json` files of other machines hold, by the digest of a cell's settings.

    Raises:
        ConfigError: a file holds no summaries of cells. PlaceError: it cannot be read.
    """
    return {made["digest"]: {**made, "adopted": file.name} for file in files for made in _summaries(file)}


def adopt(elsewhere: Mapping[str, Made], cells: Sequence[Cell], folder: Path) -> None:
    """Keep what was offered of those of `cells` that are not finished here."""
    for cell in among(elsewhere, cells):
        if known(cell, folder) is None:
            keep(cell, elsewhere[identity(cell)], folder)


def among(elsewhere: Mapping[str, Made], cells: Sequence[Cell]) -> list[Cell]:
    """Those of `cells` that were offered."""
    return [cell for cell in cells if (made := elsewhere.get(identity(cell))) is not None and is_of(made, cell)]


def _summaries(file: Path) -> list[Made]:
    hint = "Give the file that `srd bench` wrote, which is named after the plan: table1.json for table1"
    with about_place(file):
        if not file.is_file():
            raise ConfigError(f"--known {file}: there is no such file", hint=hint)
        content = file.read_bytes()
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--known {file} cannot be read as JSON", hint=hint) from error
    if not isinstance(found, list) or not found:
        raise ConfigError(f"--known {file} holds no summaries of cells", hint=hint)
    for number, made in enumerate(found):
        if problem := fault(made):
            raise ConfigError(f"--known {file} is damaged: cell {number}: {problem}", hint=hint)
    return found


def _is_summary(made: object) -> TypeGuard[Made]:
    return isinstance(made, dict) and made.keys() >= _KEYS


@contextmanager
def claimed(place: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process may work on that folder; one that waits may in the end. A claim ends with its process, however that ends."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".claim").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
