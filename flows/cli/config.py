"""`srd config`: every key of the configuration with its value, as YAML that `--config` takes."""

from __future__ import annotations

import click

from flows.cli.group import verbose_option
from flows.cli.launch import checked
from flows.cli.options import configuration


@click.command("config", short_help="Print the whole configuration as YAML.")
@configuration
@verbose_option
def command(profile: str | None, config_file: str | None, settings: tuple[str, ...]) -> None:
    """Print the configuration that a run with the same options would use."""
    import yaml

    click.echo(yaml.safe_dump(checked(profile, config_file, list(settings)).model_dump(mode="json"), sort_keys=False), nl=False)
