"""`srd decisions`: what a run decided, and why, for people: in the terminal, as lines of JSON, or as a file for a spreadsheet."""

from __future__ import annotations

import heapq
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from flows.cli.group import verbose_option
from flows.cli.launch import writable
from flows.cli.options import speakable
from srd_core.data.captions import clean
from srd_core.data.decisions import ACTIONS, Decision, as_row
from srd_core.places import about_place
from srd_core.report.text import CAPTION, NAME, visible

_SHOWN = 20
_WIDE = 120
"""Columns where there is no terminal."""


@click.command("decisions", short_help="What was decided on each pair; also for spreadsheets.")
@click.argument("sink")
@click.option("--action", "actions", multiple=True, type=click.Choice(ACTIONS), help="Only these; may be repeated.")
@click.option("--word", metavar="W", help="Only pairs whose caption before or suspicious word is or holds this word; kept ones too.")
@click.option("--pair", metavar="ID", help="Only this pair, SHARD/KEY#NUMBER, with all its figures; kept or not.")
@click.option("--flagged", is_flag=True, help="What evidence would have done, where something else was handed back.")
@click.option("--limit", type=click.IntRange(min=1), help=f"Pairs that the terminal shows.  [default: {_SHOWN}]")
@click.option("--out", "out", metavar="FILE", type=click.Path(path_type=Path), help="Write a .csv or .parquet for a spreadsheet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@verbose_option
def command(
    sink: str,
    actions: tuple[str, ...],
    word: str | None,
    pair: str | None,
    flagged: bool,
    limit: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show the decisions of the finished run at SINK: how many of each kind, then the pairs that were changed, strongest evidence first.

    On the terminal and in files, what cannot be seen is spelled out and no cell can act as a formula; --json and decisions/ hold the
    text as it was. Both hold every pair that the other options leave, in the order of the shards.
    """
    if limit is not None and (as_json or out is not None):
        raise click.UsageError("--limit is for the terminal: --json and --out give every pair")
    speakable(sink)
    if out is not None:
        from srd_core.report.spreadsheet import check_suffix

        speakable(str(out))
        if not out.is_dir():
            check_suffix(out)
        writable(out, beside=True)
    phrase = _padded(word) if word is not None else ""
    if word is not None and not phrase.strip():
        raise click.UsageError(f"--word {word!r} holds no letter or digit")
    from srd_core.stages.decided import decided

    rows = (
        row
        for row in decided(sink, flagged=flagged)
        if (not actions or row.action in actions) and (pair is None or _is(row, pair)) and (not phrase or _holds(row, phrase))
    )
    if as_json:
        for row in rows:
            click.echo(json.dumps(as_row(row)))
    elif out is not None:
        from srd_core.report.spreadsheet import write

        with about_place(out):
            count = write(rows, out)
        click.echo(f"{count:,} decisions are in {out}")
    else:
        _tell(rows, sink, limit or _SHOWN, kept=bool(word or pair or "keep" in actions), whole=pair is not None)


def _is(row: Decision, pair: str) -> bool:
    """Whether it is that pair, by its id or by what the terminal shows of it."""
    return pair in (row.pair, visible(row.pair, NAME))


def _padded(text: str) -> str:
    from srd_core.scoring.words import spoken_words

    return f" {' '.join(spoken_words(clean(text)))} "


def _holds(row: Decision, phrase: str) -> bool:
    return any(phrase in _padded(text) for text in (row.suspicious_word, row.caption_before))


def _tell(rows: Iterator[Decision], sink: str, limit: int, *, kept: bool, whole: bool) -> None:
    """Counts, then the strongest of those that changed something, or of all if `kept`. Only what is shown is held."""
    counts: Counter[str] = Counter()

    def counted() -> Iterator[Decision]:
        for row in rows:
            counts[row.action] += 1
            if kept or row.action != "keep":
                yield row

    shown = heapq.nlargest(limit, counted(), key=_strength)
    click.echo(", ".join(f"{counts[action]:,} {action}" for action in ACTIONS if counts[action]) or f"no such decisions at {sink}")
    width = shutil.get_terminal_size((_WIDE, 0)).columns
    for row in shown:
        for line in _lines(row, whole=whole):
            click.echo(line if whole else _fitted(line, width))
    left = counts.total() - (0 if kept else counts["keep"]) - len(shown)
    if left:
        click.echo(f"… and {left:,} more: --limit N shows more, `srd decisions {sink} --out decisions.csv` writes all")


def _strength(row: Decision) -> tuple[bool, float, float]:
    """Changed before kept; then the most surprising word, where captions were weighed; then what a mask gains, where a policy looked."""
    surprise, gain = (-math.inf if score is None or math.isnan(score) else score for score in (row.score_nll_max, row.q_gain))
    return row.action != "keep", surprise, gain


def _lines(row: Decision, *, whole: bool) -> Iterator[str]:
    word = f" ({row.suspicious_word})" if row.suspicious_word and row.suspicious_word not in row.reason else ""
    yield f"{row.action:10} {visible(row.pair, NAME)}: {visible(row.reason + word)}"
    if whole or row.caption_before != row.caption_after:
        for name, caption in (("before", row.caption_before), ("after", row.caption_after)):
            if caption:
                yield f"  {f'{name}:':7} {visible(caption, len(caption) if whole else CAPTION)}"
    if whole:
        figures = [(name, value) for name, value in as_row(row).items() if isinstance(value, float)]
        yield "  " + ", ".join(f"{name} {value:.4g}" for name, value in (*figures, *row.score_others))


def _fitted(line: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= width else f"{set_cell_size(line, max(width, 2) - 1).rstrip()}…"
