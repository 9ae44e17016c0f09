"""`srd verify`: every output of a run against its manifest."""

from __future__ import annotations

import click

from flows.cli.group import verbose_option
from srd_core.errors import VerificationError


@click.command("verify", short_help="Compare every output with MANIFEST.json.")
@click.argument("sink")
@verbose_option
def command(sink: str) -> None:
    """Check SINK. Exit code 0 if all is as it was written, 1 if not, naming what differs."""
    from srd_core.stages.verification import check

    problems = check(sink)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise VerificationError(f"{len(problems)} outputs of {sink} are not what the run wrote", hint="Run `srd cleanse` again")
    click.echo(f"{sink}: everything is as it was written")
