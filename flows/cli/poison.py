"""`srd poison`: a poisoned copy of shards with the list of poisoned pairs, for experiments."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from flows.cli.console import watching
from flows.cli.group import verbose_option
from flows.cli.launch import reachable
from flows.cli.names import WithNames, attacks
from flows.cli.options import Given, LocalFolder, json_option
from srd_core.errors import ConfigError
from srd_core.places import about_place, check_file, check_folder
from srd_core.progress import stage

if TYPE_CHECKING:
    from srd_core.attacks.poison import Unit


@click.command("poison", cls=WithNames, names=(attacks,), short_help="Make a poisoned copy, for experiments.")
@click.argument("source")
@click.argument("sink", type=LocalFolder())
@click.option("--attack", default="badnet", show_default=True, type=Given(), help="Attack to plant.")
@click.option("--rate", default=0.1, show_default=True, help="Share of the pairs (or images), 0 to 1; at least ten unless it is 0.")
@click.option(
    "--unit", default="pair", show_default=True, type=click.Choice(["pair", "image"]), help="Single captions, or all of an image."
)
@click.option("--target", default="banana", show_default=True, type=Given(), help="Word that triggered captions are to speak of.")
@click.option(
    "--surrogate",
    metavar="MODEL",
    type=Given(),
    help="Captioner whose vision encoder the attack is worked out on, for attacks that optimise.",
)
@click.option("--seed", default=0, show_default=True, help="Chooses the pairs.")
@json_option
@verbose_option
def command(
    source: str, sink: Path, attack: str, rate: float, unit: str, target: str, surrogate: str | None, seed: int, as_json: bool
) -> None:
    """Copy the shards at SOURCE to the empty folder SINK, poisoned. The truth is written beside it, as SINK.poisoned.json.

    What an attack works out first is kept as SINK.attack: name that folder as the attack (with a slash, as in ./SINK.attack) to poison or
    to test with the same trigger.
    """
    from srd_core.attacks.poison import check_order, list_beside, poison_shards
    from srd_core.attacks.prepared import find
    from srd_core.data.inventory import open_shard, take_inventory
    from srd_core.experiments.planted import worked_out

    chosen, kept = find(attack), Path(f"{sink}.attack")
    check_folder(sink)
    check_order(sink, list_beside(sink), chosen, target, rate)
    if chosen.needs_encoder and surrogate is not None:
        if kept.exists():  # another set was poisoned with what lies there
            named = kept if "/" in str(kept) else f"./{kept}"  # without a slash it would be the name of an attack
            hint = f"To plant the same trigger give `--attack {named}` and no --surrogate; else choose another sink, or remove that folder"
            raise ConfigError(f"{kept} is there already, with what an attack has worked out", hint=hint)
        check_folder(kept)
    check_file(list_beside(sink))
    reachable(source)
    shards = {shard.name: partial(open_shard, shard) for shard in take_inventory(source).shards}
    with watching(), stage("poison"):
        known = worked_out(chosen, source, surrogate, kept, seed)
        with about_place(sink):
            made = poison_shards(shards, sink, attack=known, rate=rate, target=target, seed=seed, unit=cast("Unit", unit))
    facts = {"pairs": made.pairs, "poisoned": len(made.poisoned), "skipped": made.skipped, "truth": str(made.report)}
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo(f"{len(made.poisoned)} of {made.pairs} pairs poisoned with {attack} → {target!r}; they are listed in {made.report}")
