"""`srd verify`: every output of a run against its manifest."""

from __future__ import annotations

import json

import click

from flows.cli.group import verbose_option
from flows.cli.options import json_option
from srd_core.errors import VerificationError

_NAMED = 3


@click.command("verify", short_help="Compare every output with MANIFEST.json.")
@click.argument("sink")
@json_option
@verbose_option
def command(sink: str, as_json: bool) -> None:
    """Check SINK, what `srd cleanse` or `srd sanitize` has written.

    Exit code 0: all is as it was written; 1: something differs, each problem on a line; 2: there is no manifest, or it cannot be read.
    """
    from srd_core.stages.verification import STRANGER, check

    problems = check(sink)
    if as_json:
        click.echo(json.dumps({"sink": sink, "problems": problems}, ensure_ascii=False))
    for problem in problems if not as_json else ():
        click.echo(problem)
    strangers = [problem.rpartition(STRANGER)[0] for problem in problems if STRANGER in problem]
    if strangers and len(strangers) == len(problems):
        named = ", ".join(strangers[:_NAMED]) + (f" and {len(strangers) - _NAMED:,} more" if len(strangers) > _NAMED else "")
        hint = "All that the run wrote is as it was: remove the rest if it is yours, and keep results apart from other files"
        raise VerificationError(f"{sink} holds what the run did not write: {named}", hint=hint)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
        hint = f"Keep a copy of {sink} as evidence; running the same command again overwrites what differs"
        raise VerificationError(f"{sink} is not as the run wrote it: {count}", hint=hint)
    if not as_json:
        click.echo(f"{sink}: everything is as it was written")
