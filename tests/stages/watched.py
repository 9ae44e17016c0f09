"""A configuration that notes which of its settings a stage asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from pydantic import BaseModel

from srd_core.config import Config
from srd_core.stages.stage import Run, Stage


class Watched:
    """A part of the configuration that notes what is asked of it; what has no parts is handed out as it is."""

    def __init__(self, part: BaseModel, path: str, asked: set[str]) -> None:
        self._part, self._path, self._asked = part, path, asked

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        path = f"{self._path}.{name}".removeprefix(".")
        if isinstance(value, BaseModel):
            return Watched(value, path, self._asked)
        if name in type(self._part).model_fields:
            self._asked.add(path)
        return value


def watched(run: Run, asked: set[str]) -> Run:
    """The same run, whose configuration notes in `asked` what it is asked for."""
    return replace(run, config=cast(Config, Watched(run.config, "", asked)))


def undeclared(stage: Stage, asked: set[str]) -> set[str]:
    """The settings among these that are not in the stage's key."""
    return {path for path in asked if not any(path == read or path.startswith(f"{read}.") for read in stage.reads)}
