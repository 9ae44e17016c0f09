"""Decisions for people who open them in a spreadsheet: CSV or Parquet in which no text can act as a formula.

A cell that begins like a formula gets an apostrophe before it, which spreadsheets show as text (OWASP, "CSV Injection"); characters
that cannot be seen are spelled out. So these files are for reading; what was decided, byte for byte, is in `decisions/`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from srd_core.data.decisions import SCHEMA, Decision, as_row
from srd_core.errors import ConfigError
from srd_core.report.text import visible
from srd_core.storage.whole import replaced

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20'")
"""What begins a formula, in both widths, and the mark that says that it is none."""
_ROWS = 4096
FORMATS = (".csv", ".parquet")


def safe_cell(text: str) -> str:
    """Text that a spreadsheet takes for text, on one line."""
    shown = visible(text, limit=len(text))
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


def check_suffix(target: Path) -> None:
    """Raises ConfigError for a suffix of no format that is written here."""
    if target.suffix not in FORMATS:
        raise ConfigError(f"{target} is neither .csv nor .parquet", hint="Name the file after the format that you want")


def write(decisions: Iterable[Decision], target: Path) -> int:
    """Write rows to a `.csv` (UTF-8 with the mark that Excel needs) or `.parquet` file; how many there were.

    The file is written beside its place and put there at the end: what fails half-way leaves what was there before.

    Raises:
        ConfigError: another suffix.
    """
    check_suffix(target)
    rows = (_safe(decision) for decision in decisions)
    with replaced(target.resolve()) as file:  # behind a link, the file that it leads to
        return (_csv if target.suffix == ".csv" else _parquet)(rows, file)


_Row = dict[str, str | float | dict[str, float] | None]


def _safe(decision: Decision) -> _Row:
    return {name: safe_cell(value) if isinstance(value, str) else value for name, value in as_row(decision).items()}


def _csv(rows: Iterator[_Row], target: Path) -> int:
    count = 0
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, SCHEMA.names)
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _told(value) if isinstance(value, dict) else value for name, value in row.items()})
            count += 1
    return count


def _told(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {score:.6g}" for name, score in scores.items())


def _parquet(rows: Iterator[_Row], target: Path) -> int:
    count = 0
    with pq.ParquetWriter(target, SCHEMA, compression="zstd") as writer:
        while part := list(islice(rows, _ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=SCHEMA))
            count += len(part)
    return count
