"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


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
