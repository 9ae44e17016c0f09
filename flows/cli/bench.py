"""`srd bench`: an experiment grid."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.group import verbose_option
from flows.cli.launch import run_flow


@click.command("bench", short_help="Run an experiment grid.")
@click.argument("plan")
@click.option("--out", default="runs/bench", show_default=True, type=click.Path(path_type=Path), help="Folder for data and results.")
@verbose_option
def command(plan: str, out: Path) -> None:
    """Run every cell of PLAN (a YAML file, or the name of a plan that comes with SRD). Finished cells are not run again."""
    from flows.plan import load_plan

    load_plan(plan)
    out.mkdir(parents=True, exist_ok=True)
    for cell in run_flow("bench", plan, str(out)):
        click.echo(f"{cell['cell']}: {cell['verdict']['status']}")
    click.echo(f"Tables: {out / Path(plan).stem}.md")
