"""What pages read of a cell's record: the least that one from another machine must hold. Whatever else it holds is kept as it is."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_Section = dict[str, Any]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, lt=2**53)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Experiment(_Part):
    attack: str
    rate: _Number
    seed: int


class _Settings(_Part):
    experiment: _Experiment
    variant: str


class _Verdict(_Part):
    status: str


class _Figure(_Part):
    value: _Number | None
    low: _Number | None
    high: _Number | None
    n: _Count


_Known = _Figure | None


class _Model(_Part):
    arm: str
    protocol: str
    domain: str
    n: _Count
    cider: _Figure
    bleu_4: _Figure | _Number
    sc: _Known = None
    lf: _Known = None
    sfs: _Known = None
    sc_clean: _Known = None
    lf_clean: _Known = None
    sfs_clean: _Known = None
    bleu_4_triggered: _Figure | _Number | None = None
    cider_triggered: _Known = None
    cider_stripped: _Known = None
    asr: _Known = None
    asr_raw: _Known = None
    asr_template: _Known = None
    false_trigger: _Known = None
    hits: str | None = None


class _Attention(_Part):
    boxed: bool = False
    area: _Number | None = None
    backdoored: _Known = None
    clean: _Known = None
    control: _Known = None
    honest: _Known = None
    untriggered: _Known = None
    difference: _Known = None
    appearing: _Known = None

    @model_validator(mode="after")
    def _of_a_box(self) -> Self:
        if self.boxed and self.area is None:
            raise ValueError("there is a box, and no area of it")
        return self


class _Scores(_Part):
    models: list[_Model]
    detection: dict[str, dict[str, _Figure | _Number | None]]
    policy: _Section
    done: dict[str, dict[str, dict[str, _Count]]] = {}
    silent: dict[str, str] = {}
    attention: _Attention = _Attention()
    distance: _Number | None = None


class _Origin(_Part):
    code: str = ""
    processor: str = ""
    arithmetic: str = ""


class _Record(_Part):
    cell: str
    digest: str
    settings: _Settings
    seconds: _Number
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
