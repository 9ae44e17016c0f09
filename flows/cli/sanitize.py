"""`srd sanitize`: shards that can be trusted to be what they look like. No model, no policy."""

from __future__ import annotations

import json

import click

from flows.cli.console import watching
from flows.cli.group import verbose_option
from flows.cli.launch import checked, reachable, usable_sink
from flows.cli.names import WithNames, profiles
from flows.cli.options import configuration, json_option, speakable


@click.command("sanitize", cls=WithNames, names=(profiles,), short_help="Strict reading, safe pixels, clean shards; no model.")
@click.argument("source")
@click.argument("sink")
@configuration
@json_option
@verbose_option
def command(source: str, sink: str, profile: str | None, config_file: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Copy the shards at SOURCE to SINK: read strictly, with images re-written from pixels and captions cleaned.

    What cannot be used is left out and listed in decisions/. Poison passes: `srd cleanse` is what looks for it. Run again to continue.
    """
    config = checked(profile, config_file, list(settings))
    speakable(source)
    usable_sink(sink)
    reachable(source)
    from srd_core.data.reasons import ends_shard
    from srd_core.stages.sanitize import sanitize
    from srd_core.stages.stage import Run

    with watching():
        tally = sanitize(Run(source, sink, "", config))
    if as_json:
        click.echo(json.dumps(tally.as_facts()))
        return
    why = ", ".join(f"{count:,} {reason}" for reason, count in tally.rejects.items() if not ends_shard(reason))
    lost = ", ".join(f"{count:,} {reason}" for reason, count in tally.rejects.items() if ends_shard(reason))
    kept, refused = tally.actions.get("keep", 0), tally.actions.get("reject", 0) - tally.ended
    click.echo(f"{kept + refused:,} pairs: {kept:,} kept, {refused:,} refused" + (f" ({why})" if why else ""))
    if tally.ended:
        click.echo(f"Shards that were not read to their end: {lost}; what follows there is not counted, see `srd inspect {source}`")
    click.echo(f"Shards, decisions and MANIFEST.json are in {sink}; `srd verify {sink}` checks them")
