"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from srd_core.errors import ConfigError
from srd_core.storage import unnamed

F = TypeVar("F", bound=Callable[..., Any])


class LocalFolder(click.Path):
    """A folder of this machine, there or not. An address would otherwise become a folder of that name."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        if not str(value):
            raise unnamed()
        speakable(str(value))
        if "://" in str(value):
            raise ConfigError(f"{value} is not a folder of this machine", hint="Only one can be given here; copy it elsewhere afterwards")
        return super().convert(value, param, ctx)


class Given(click.types.StringParamType):
    """A text that is not empty. An option that is given with nothing, as by a variable that is unset, does not mean that it is left out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType.convert`."""
        text = super().convert(value, param, ctx)
        if not text.strip():
            name = param.opts[0] if param is not None else "a value"
            raise ConfigError(f"{name} is empty", hint="A variable may be unset; give a value, or leave the option out")
        speakable(text)
        return text


def speakable(*texts: str) -> None:
    """Refuse bytes that are no text in UTF-8, which no record of a run could hold.

    Raises:
        ConfigError: these are none.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(f"{text!a} is not a text in UTF-8", hint="Rename it, or name it through a link with a plain name") from error


def configuration(command: F) -> F:
    """`--profile`, `--config`, `--set`: parameters profile, config_file, settings."""
    for option in (
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one key; may be repeated."),
        click.option("--config", "config_file", metavar="FILE", type=Given(), help="A YAML file instead of a profile."),
        click.option("--profile", metavar="NAME", type=Given(), help="A configuration that comes with SRD."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Only JSON on stdout.")
