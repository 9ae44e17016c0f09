"""How commands are found, and how they fail: one line on stderr with a hint, an exit code; a traceback only with `--verbose`."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import click

from srd_core.addresses import without_user
from srd_core.errors import SrdError
from srd_core.places import refusal

_COMMANDS = ("demo", "inspect", "sanitize", "cleanse", "verify", "decisions", "poison", "train", "evaluate", "config", "bench")
_CONTINUED = frozenset(("demo", "sanitize", "cleanse", "bench"))
"""Commands that find what they had finished when they are called again."""
_VERBOSE = "srd.verbose"
INTERRUPTED, TERMINATED, UNEXPECTED = 130, 143, 70


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: the same as Ctrl-C to whatever is going on, but for the exit code."""


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
            with _termination_interrupts():
                return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort) as error:
            goes_on = "; the same command goes on where it was" if ctx.invoked_subcommand in _CONTINUED else ""
            click.echo(f"stopped{goes_on}", err=True)
            raise click.exceptions.Exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED) from error
        except click.UsageError as error:
            raise _explained(error) from error
        except SrdError as error:
            raise _told(ctx, error) from error
        except Exception as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise _told(ctx, refused, error) from error


def _told(ctx: click.Context, error: SrdError, cause: BaseException | None = None) -> click.exceptions.Exit:
    """The exit that goes with the error, which is said now."""
    if is_verbose(ctx):
        click.echo(without_user("".join(traceback.format_exception(cause or error))), err=True)
    click.echo(f"error: {' '.join(str(error).split())}", err=True)
    _drop_unwritten()
    return click.exceptions.Exit(error.exit_code)


def _drop_unwritten() -> None:
    """What a full disk has not taken stays in the buffer: tried again at the end, it would make the exit code 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explained(error: click.UsageError) -> click.UsageError:
    """With the way out: what a missing option is for; quotes where the shell has made many arguments of a glob."""
    text = error.format_message()
    if isinstance(error, click.MissingParameter) and isinstance(error.param, click.Option) and error.param.help:
        text = f"{text} {error.param.help}"
    folder = _many_of(error, text)
    if folder is not None:
        text = f"{text.rstrip('.')}. Quote a glob, so that it stays one argument: '{folder}*.tar'"
    return click.UsageError(text, ctx=error.ctx)


def _many_of(error: click.UsageError, text: str) -> str | None:
    """The folder of which a shell has handed over several shards where one argument was asked for; None if it has not."""
    params = {param.name: param for param in error.ctx.command.params} if error.ctx else {}
    given = [(params.get(name), str(value)) for name, value in error.ctx.params.items()] if error.ctx else []
    left = {word.strip("'\"(),.") for word in text.split()}
    asked = Counter(_folder(word) for word in left | {value for param, value in given if isinstance(param, click.Argument)})
    also = {_folder(value) for param, value in given if isinstance(param, click.Option)} & {_folder(word) for word in left}
    several = {folder for folder, count in asked.items() if count > 1}
    return next((folder for folder in sorted(several | also, key=str) if folder is not None), None)


def _folder(word: str) -> str | None:
    """Of a shard, with the slash at its end; None for anything else."""
    return word.removesuffix(word.rpartition("/")[2]) if word.endswith(".tar") else None


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """SIGTERM raises Terminated, once: `timeout` sends it twice, to the command and to its group, and tidying up must come to its end.

    A flow has a handler of Prefect's, which sends the signal again to this one when the flow has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if not came:
            came = True
            raise Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_verbose(ctx: click.Context) -> bool:
    """Whether `--verbose` was given."""
    return bool(ctx.meta.get(_VERBOSE))


def report_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook` of the command line: one line about what must be a bug, and an exit code that says nothing else."""
    text = without_user(f"internal error: {kind.__name__}: {error}")
    click.echo(f"error: {' '.join(text.split())[:500]}. Run again with --verbose and report it", err=True)
    raise SystemExit(UNEXPECTED)


def report_unexpected_whole(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The same with the traceback."""
    click.echo(without_user("".join(traceback.format_exception(kind, error, trace))), err=True, nl=False)
    raise SystemExit(UNEXPECTED)


def _remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_VERBOSE] = value
    sys.excepthook = report_unexpected_whole if value else report_unexpected


verbose_option = click.option("--verbose", is_flag=True, expose_value=False, callback=_remember, help="Show logs and tracebacks.")
"""For every command."""
