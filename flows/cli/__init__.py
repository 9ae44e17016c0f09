"""The command line `srd`. Commands live one a file beside this one and are imported when asked for, so that `srd --help` is instant."""

from __future__ import annotations

from flows.cli.group import Commands

cli = Commands(
    name="srd",
    help="Find and undo backdoor poison in image-caption data before a vision-language model is fine-tuned on it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def main() -> None:
    """Entry point of the console script."""
    cli()
