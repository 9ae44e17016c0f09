"""`srd decisions`: what a run decided, and why, for people: in the terminal, as lines of JSON, or as a file for a spreadsheet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from flows.cli.group import verbose_option
from flows.cli.launch import writable
from srd_core.data.decisions import ACTIONS, Decision, as_row
from srd_core.report.text import NAME, visible

_SHOWN = 20
_LONG = 120


@click.command("decisions", short_help="What was decided on each pair; also for spreadsheets.")
@click.argument("sink")
@click.option("--action", "actions", multiple=True, type=click.Choice(ACTIONS), help="Only these; may be repeated.")
@click.option("--out", "out", metavar="FILE", type=click.Path(path_type=Path), help="Write a .csv or .parquet for a spreadsheet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@verbose_option
def command(sink: str, actions: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Show the decisions of the finished run at SINK.

    On the terminal and in files, what cannot be seen is spelled out and no cell can act as a formula; --json and decisions/ hold the
    text as it was.
    """
    if out is not None:
        writable(out)
    from srd_core.stages.decided import decided

    rows = (row for row in decided(sink) if not actions or row.action in actions)
    if as_json:
        for row in rows:
            click.echo(json.dumps(as_row(row)))
    elif out is not None:
        from srd_core.report.spreadsheet import write

        click.echo(f"{write(rows, out):,} decisions are in {out}")
    else:
        _tell(rows, sink)


def _tell(rows: Iterator[Decision], sink: str) -> None:
    """Counts, and the first of those that changed something."""
    counts: Counter[str] = Counter()
    changed = 0
    for row in rows:
        counts[row.action] += 1
        if row.action == "keep":
            continue
        changed += 1
        if changed <= _SHOWN:
            click.echo(_line(row))
    if changed > _SHOWN:
        click.echo(f"… and {changed - _SHOWN:,} more: `srd decisions {sink} --out decisions.csv`")
    click.echo(", ".join(f"{counts[action]:,} {action}" for action in ACTIONS if counts[action]) or "no decisions")


def _line(row: Decision) -> str:
    texts = [row.caption_before, *([row.caption_after] if row.caption_after not in ("", row.caption_before) else [])]
    about = [part for part in (row.reason, " -> ".join(visible(text, _LONG) for text in texts)) if part]
    return f"{row.action:10} {visible(row.pair, NAME)}: {': '.join(about)}"
