"""`srd config`: every key of the configuration with its value and what it means, as YAML that `--config` takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from pydantic import BaseModel

from flows.cli.group import verbose_option
from flows.cli.launch import checked
from flows.cli.names import WithNames, profiles
from flows.cli.options import configuration


@click.command("config", cls=WithNames, names=(profiles,), short_help="Print the whole configuration as YAML.")
@configuration
@verbose_option
def command(profile: str | None, config_file: str | None, settings: tuple[str, ...]) -> None:
    """Print the configuration that a run with the same options would use: every key, with what it means in a comment."""
    for line in _lines(checked(profile, config_file, list(settings))):
        click.echo(line)


def _lines(section: BaseModel) -> Iterator[str]:
    import yaml

    tree = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if told := field.description or (inspect.getdoc(value) if isinstance(value, BaseModel) else None):
            yield f"# {told.splitlines()[0].rstrip('.')}"
        if isinstance(value, BaseModel):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(value))
        else:
            yield from yaml.safe_dump({name: tree[name]}, sort_keys=False, width=1000).splitlines()
