"""The command line `srd`. Commands live one a file beside this one and are imported when asked for, so that `srd --help` is instant."""

from __future__ import annotations

import click

from flows.cli.group import Commands
from srd_core import __version__

cli = Commands(
    name="srd",
    help="Find and undo backdoor poison in image-caption data before a vision-language model is fine-tuned on it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

click.version_option(__version__, prog_name="srd")(cli)


def main() -> None:
    """Entry point of the console script."""
    cli()
