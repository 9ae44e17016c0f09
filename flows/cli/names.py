"""Help that ends with the names that can be given: looked up when help is asked for, so that commands start as fast as before."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import click


def attacks() -> Iterable[str]:
    """Every attack."""
    from srd_core.attacks.registry import names

    return names()


def profiles() -> Iterable[str]:
    """Every profile that comes with SRD."""
    from srd_core.config import profiles

    return profiles()


def plans() -> Iterable[str]:
    """Every plan that comes with SRD."""
    from flows.plan_files import plans

    return plans()


class WithNames(click.Command):
    """A command whose help lists what `names` return, in the order of its arguments."""

    def __init__(self, *arguments: Any, names: tuple[Callable[[], Iterable[str]], ...], **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._names = names

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A section with a line for each kind of name."""
        with formatter.section("Names"):
            for find in self._names:
                indent = " " * formatter.current_indent
                text = f"{find.__name__}: {', '.join(find())}"
                wrapped = textwrap.fill(
                    text, formatter.width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
                )
                formatter.write(f"{wrapped}\n")
