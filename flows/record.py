"""What pages read of a cell's record: the least that one from another machine must hold. Whatever else it holds is kept as it is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

_Section = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Experiment(_Part):
    attack: str
    rate: float
    seed: int


class _Settings(_Part):
    experiment: _Experiment
    variant: str


class _Verdict(_Part):
    status: str


class _Model(_Part):
    arm: str
    protocol: str
    domain: str
    n: int
    cider: _Section


class _Scores(_Part):
    models: list[_Model]
    detection: dict[str, _Section]
    policy: _Section
    done: dict[str, dict[str, dict[str, int]]] = {}
    silent: dict[str, str] = {}
    attention: _Section = {}
    distance: float | None = None


class _Origin(_Part):
    code: str = ""
    processor: str = ""
    arithmetic: str = ""


class _Record(_Part):
    cell: str
    digest: str
    settings: _Settings
    seconds: float
    verdict: _Verdict
    scores: _Scores
    configuration: _Section = {}
    data: dict[str, str] = {}
    origin: _Origin = _Origin()


def fault(record: object) -> str:
    """What is wrong with it, and where; nothing if pages can be made of it."""
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}{': ' if where else ''}{first['msg']}"
    return ""
