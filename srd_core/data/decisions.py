"""The record of what was done to every pair, and why: one row a pair, in Parquet, the same bytes for the same rows.

Rows go out in row groups, so that memory does not grow with the shard. That every input pair appears exactly once is the pipeline's
promise: a shard is read once and gives each key once, and `seal` refuses arms that differ in their shards or in their number of pairs. This
file only fixes columns and types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from srd_core.data.samples import Reject, pair_id
from srd_core.errors import SourceError

Action = Literal["keep", "mask", "recaption", "quarantine", "reject"]
ACTIONS: tuple[str, ...] = get_args(Action)
CONDEMNED: tuple[Action, ...] = ("recaption", "quarantine")
"""What is done to a pair because of its caption."""
ROW_GROUP = 4096


@dataclass(frozen=True, slots=True)
class Decision:
    """What happened to one pair.

    `mask_x`, `mask_y` (centre) and `mask_size` are fractions of the shorter side; None where there is no mask. `q_value` is the
    policy's value of the chosen action, `q_gain` its lead over doing nothing. `score_nll_*` are in nats a token, `score_sfs` is the
    SFS; None where not computed. `score_others` are those of evidence channels that have no column, by name. Captions and image digests
    are empty where there is none (a reject has no "after"). `image_width` and `image_height` are in pixels, None where nobody has looked.
    """

    shard: str
    key: str
    pair: str
    action: Action
    reason: str
    mask_x: float | None = None
    mask_y: float | None = None
    mask_size: float | None = None
    q_value: float | None = None
    q_gain: float | None = None
    score_nll_mean: float | None = None
    score_nll_max: float | None = None
    score_sfs: float | None = None
    suspicious_word: str = ""
    caption_before: str = ""
    caption_after: str = ""
    image_sha256_before: str = ""
    image_sha256_after: str = ""
    image_width: int | None = None
    image_height: int | None = None
    score_others: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"{self.pair}: action {self.action!r} is none of {', '.join(ACTIONS)}")


_TYPES = {
    "float | None": pa.float64(),
    "int | None": pa.int64(),
    "tuple[tuple[str, float], ...]": pa.map_(pa.string(), pa.float64()),
}
"""All other columns hold text."""

SCHEMA = pa.schema([pa.field(f.name, _TYPES.get(str(f.type), pa.string()), nullable="None" in str(f.type)) for f in fields(Decision)])
"""Columns of `decisions/NAME.parquet`, in order."""

_SINCE = frozenset(("image_width", "image_height", "score_others"))
"""Columns that files of earlier versions lack."""


def rejections(reject: Reject) -> list[Decision]:
    """One row for each pair that a reject stands for."""
    ids = [pair_id(reject.shard, reject.key, index) for index in range(max(1, reject.pairs))]
    return [Decision(reject.shard, reject.key, pair, "reject", reject.reason) for pair in ids]


class DecisionWriter:
    """Writes rows in the given order to a path or an open binary stream; a context manager, complete after a clean exit."""

    def __init__(self, target: Path | BinaryIO) -> None:
        self._writer = pq.ParquetWriter(target, SCHEMA, compression="zstd", version="2.6", write_statistics=True)
        self._rows: list[Decision] = []
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, decision: Decision) -> None:
        """One row."""
        self._rows.append(decision)
        self.count += 1
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = {f.name: [getattr(row, f.name) for row in self._rows] for f in fields(Decision)}
            self._writer.write_table(pa.table(columns, schema=SCHEMA))
            self._rows = []


def read_decisions(source: Path | BinaryIO) -> Iterator[Decision]:
    """Rows in order, one row group in memory at a time.

    Raises:
        SourceError: not a decisions file.
    """
    try:
        with pq.ParquetFile(source) as file:
            if [name for name in SCHEMA.names if name not in _SINCE] != [name for name in file.schema_arrow.names if name not in _SINCE]:
                raise SourceError(f"{source} has other columns than a decisions file", hint="Read it with the version that wrote it")
            for number in range(file.num_row_groups):
                yield from map(_decision, file.read_row_group(number).to_pylist())
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{source} cannot be read as decisions: {error}"[:300], hint="Check the path; run `srd verify`") from error


def _decision(row: dict[str, Any]) -> Decision:
    return Decision(**{**row, "score_others": tuple(row.get("score_others") or ())})


_COLUMNS: dict[str, Callable[[Decision], float | None]] = {
    "nll_mean": lambda row: row.score_nll_mean,
    "nll_max": lambda row: row.score_nll_max,
    "infidelity": lambda row: None if row.score_sfs is None else 1 - row.score_sfs,
    "q_gain": lambda row: row.q_gain,
}
IN_COLUMNS = tuple(_COLUMNS)
"""Evidence channels whose scores are in columns of their own; those of all others are in `score_others`."""


def score_of(decision: Decision, channel: str) -> float | None:
    """What an evidence channel gave the pair; None where it gave nothing."""
    read = _COLUMNS.get(channel)
    return read(decision) if read else dict(decision.score_others).get(channel)


def sample_of(decision: Decision) -> tuple[str, str]:
    """Shard and key: the rows of one sample follow each other."""
    return decision.shard, decision.key


def as_row(decision: Decision) -> dict[str, str | float | dict[str, float] | None]:
    """The decision as a plain mapping, for JSON and tables."""
    return {**asdict(decision), "score_others": dict(decision.score_others)}
