"""`srd bench`: an experiment grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.console import say
from flows.cli.group import verbose_option
from flows.cli.launch import reachable, run_flow
from flows.cli.names import WithNames, attacks, plans
from flows.cli.options import Given, LocalFolder, json_option
from srd_core.errors import ConfigError
from srd_core.places import check_folder

if TYPE_CHECKING:
    from flows.cost import Cost


@click.command("bench", cls=WithNames, names=(plans, attacks), short_help="Run an experiment grid.")
@click.argument("plan", metavar="PLAN")
@click.option("--out", default="runs/bench", show_default=True, type=LocalFolder(), help="Folder for data and results.")
@click.option("--size", type=Given(), help="scenes, photos, or a YAML file.  [default: the plan's own]")
@click.option("--data", type=Given(), help="Folder of the shards, for sizes on shards that do not come with SRD.")
@click.option("--seeds", type=Given(), help="Numbers with commas between.  [default: the plan's own]")
@click.option("--attacks", type=Given(), help="Names with commas between.  [default: the plan's own]")
@click.option(
    "--known",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The plan's file of results from another machine, such as table1.json: its cells are not run again.",
)
@click.option("--at-once", default=2, show_default=True, type=click.IntRange(min=1), help="Cells; each has two workers and takes 2 GB.")
@click.option("--dry-run", is_flag=True, help="List cells and what they cost; run nothing.")
@json_option
@verbose_option
def command(
    plan: str,
    out: Path,
    size: str | None,
    data: str | None,
    seeds: str | None,
    attacks: str | None,
    known: tuple[Path, ...],
    at_once: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run every cell of PLAN (a YAML file, or the name of a plan that comes with SRD). Finished cells are not run again.

    With cores to spare, raise --at-once. With machines to spare, give each its own --seeds, then start it once more with all of them and
    each one's file of results (OUT/table1.json for table1, OUT/table1-photos.json with --size photos) as --known, with the same --data.
    """
    from flows.cells import adopt, among, finished, offered
    from flows.cost import WITHOUT_BFLOAT16, costs
    from flows.plan_files import cells_of, pages_name
    from srd_core.experiments.shards import ShardExperiment
    from srd_core.hardware import has_bfloat16

    chosen = _numbers(seeds), tuple(dict.fromkeys(name.strip() for name in attacks.split(","))) if attacks else ()
    wanted, at, cells = cells_of(plan, size, data, *chosen)
    elsewhere = offered(known)
    if isinstance(at.data, ShardExperiment):
        reachable(at.data.trusted, at.data.suspect, *at.data.tests.values())
    if known:
        say(f"{len(among(elsewhere, cells))} of {len(cells)} cells are known from elsewhere, of {len(elsewhere)} that were offered")
    if dry_run:
        here = {made["cell"]: "adopted" not in made for made in finished(cells, out)}
        done = here.keys() | {cell.name for cell in among(elsewhere, cells)}
        slower = 1.0 if has_bfloat16() else WITHOUT_BFLOAT16
        _tell(costs(cells, at, done, elsewhere={name for name in done if not here.get(name)}, slower=slower), slower, as_json=as_json)
        return
    check_folder(out)
    if known:
        adopt(elsewhere, [*wanted.unchecked(at), *cells], out)  # pages show the plan's other cells too
    out.mkdir(parents=True, exist_ok=True)
    made = run_flow("bench", plan, str(out), size, data, *chosen, at_once)
    if as_json:
        click.echo(json.dumps(made))
        return
    for cell in made:
        click.echo(f"{cell['cell']}: {cell['verdict']['status']}")
    if len(made) < len(cells):
        say(f"{len(cells) - len(made)} of {len(cells)} cells are another process's still: the tables lack them until it has finished")
    click.echo(f"Tables: {out / pages_name(plan, wanted, size)}.md")


def _numbers(seeds: str | None) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(part) for part in seeds.split(","))) if seeds else ()
    except ValueError as error:
        raise ConfigError(f"--seeds is {seeds!r}", hint="Give whole numbers with commas between, such as 0,1,2") from error


def _tell(found: Sequence[Cost], slower: float, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(cost) for cost in found]))
        return
    wide = max(len(cost.cell) for cost in found)
    for cost in found:
        what = f"{cost.models} model{'' if cost.models == 1 else 's'}{', a policy' if cost.learns else ''}"
        click.echo(f"{cost.cell:<{wide}}  {'finished' if cost.finished else _minutes(cost.seconds):>9}  {what}")
    left = [cost for cost in found if not cost.finished]
    if not left:
        click.echo(f"nothing to run: all {len(found)} cells are finished")
        return
    kind = "that multiply bfloat16" if slower == 1 else f"without bfloat16, as here: {slower:g} times as long as with it"
    total = sum(cost.seconds for cost in left)
    told = f"about {_minutes(total)} on two cores {kind}" if total else "the size does not say how long a model takes"
    click.echo(f"{len(left)} of {len(found)} cells to run: {told}")


def _minutes(seconds: float) -> str:
    return f"{max(seconds / 60, 1):.0f} min" if seconds else ""
