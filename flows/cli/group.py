"""How commands are found, and how they fail: one line on stderr with a hint, an exit code; a traceback only with `--verbose`."""

from __future__ import annotations

import importlib
import sys
import traceback
from types import TracebackType
from typing import Any

import click

from srd_core.errors import SrdError

_COMMANDS = ("demo", "inspect", "sanitize", "cleanse", "verify", "decisions", "poison", "train", "evaluate", "config", "bench")
_VERBOSE = "srd.verbose"
INTERRUPTED, UNEXPECTED = 130, 70


class Commands(click.Group):
    """The group of all commands; each is the object `command` of `flows.cli.NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which a new user meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"flows.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors become exit codes."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort) as error:
            raise click.exceptions.Exit(INTERRUPTED) from error
        except SrdError as error:
            if is_verbose(ctx):
                click.echo("".join(traceback.format_exception(error)), err=True)
            click.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise click.exceptions.Exit(error.exit_code) from error


def is_verbose(ctx: click.Context) -> bool:
    """Whether `--verbose` was given."""
    return bool(ctx.meta.get(_VERBOSE))


def report_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` of the command line: one line about what must be a bug, and an exit code that says nothing else."""
    text = f"internal error: {kind.__name__}: {error}"
    click.echo(f"error: {' '.join(text.split())[:500]}. Run again with --verbose and report it", err=True)
    raise SystemExit(UNEXPECTED)


def report_unexpected_whole(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The same with the traceback."""
    traceback.print_exception(kind, error, trace)
    raise SystemExit(UNEXPECTED)


def _remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_VERBOSE] = value
    sys.excepthook = report_unexpected_whole if value else report_unexpected


verbose_option = click.option("--verbose", is_flag=True, expose_value=False, callback=_remember, help="Show logs and tracebacks.")
"""For every command."""
