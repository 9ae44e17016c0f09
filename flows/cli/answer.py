"""How a finished run is told: the verdict's five lines and where to look next, or the same as JSON."""

from __future__ import annotations

import json
from typing import Any

import click


def tell(verdict: dict[str, Any], sink: str, *, as_json: bool = False) -> None:
    """Print a verdict on stdout."""
    if as_json:
        click.echo(json.dumps(verdict, ensure_ascii=False))
        return
    for line in verdict["lines"]:
        click.echo(line)
    click.echo(f"Report: {sink.rstrip('/')}/report.html")
