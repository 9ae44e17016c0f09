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
        if "://" in str(value):
            raise ConfigError(f"{value} is not a folder of this machine", hint="Only one can be given here; copy it elsewhere afterwards")
        return super().convert(value, param, ctx)


def configuration(command: F) -> F:
    """`--profile`, `--config`, `--set`: parameters profile, config_file, settings."""
    for option in (
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one key; may be repeated."),
        click.option("--config", "config_file", metavar="FILE", help="A YAML file instead of a profile."),
        click.option("--profile", metavar="NAME", help="A configuration that comes with SRD."),
    ):
        command = option(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Only JSON on stdout.")
