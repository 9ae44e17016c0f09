"""`srd train`: fine-tune a captioner on shards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from flows.cli.console import watching
from flows.cli.group import verbose_option
from flows.cli.launch import checked, reachable
from flows.cli.names import WithNames, profiles
from flows.cli.options import LocalFolder, configuration, speakable
from srd_core.errors import ConfigError
from srd_core.hardware import settle_threads
from srd_core.places import about_place, check_folder
from srd_core.progress import stage


@click.command("train", cls=WithNames, names=(profiles,), short_help="Fine-tune a captioner on shards.")
@click.argument("source")
@click.argument("out", type=LocalFolder())
@configuration
@click.option("--init", metavar="MODEL", type=click.Path(path_type=Path), help="Folder of the model to start from. Default: the base.")
@verbose_option
def command(source: str, out: Path, profile: str | None, config_file: str | None, settings: tuple[str, ...], init: Path | None) -> None:
    """Fine-tune on the shards at SOURCE with the profile's `retrain.schedule` and write the model to the folder OUT.

    Where neither --init nor the profile names a model, one is made as a run makes its base, with SOURCE for the trusted set. A model to
    start from says how large images are, not `canvas`.
    """
    speakable(str(init or ""))
    config = checked(profile, config_file, list(settings))
    if out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty", hint="Choose a new folder for the model")
    check_folder(out)
    reachable(source)
    from srd_core.data.inventory import take_inventory
    from srd_core.data.loading import load_canvas
    from srd_core.models.flamingo import FlamingoCaptioner
    from srd_core.seeds import derive
    from srd_core.stages.given import check_weights, saved_model
    from srd_core.stages.trusted import train_new

    if init and config.base.weights:
        raise ConfigError("--init names a saved model and base.weights what a new one starts from", hint="Give one of the two")
    check_weights(config.base, "base")
    settle_threads()
    with watching(), stage("train"), tempfile.TemporaryDirectory(prefix="srd-train-") as folder:
        scratch = Path(folder)
        start = init or (saved_model(config.base.path, scratch) if config.base.path else None)
        known = FlamingoCaptioner.load(start) if start else None
        canvas = known.canvas if known else config.canvas
        pairs, skipped = load_canvas(take_inventory(source).shards, canvas, scratch, limits=config.limits)
        if known:
            model, report = known, known.fit(pairs, config.retrain.schedule, seed=derive(config.seed, "train"))
        else:
            model, _, report = train_new(config.base, pairs, canvas, seed=config.seed, role="train", folder=scratch)
        with about_place(out):
            model.save(out)
    dropped = f", {sum(skipped.values())} samples skipped" if skipped else ""
    click.echo(f"{out}: {len(pairs)} pairs{dropped}, {report.steps} steps, loss {report.first_loss:.2f} → {report.last_loss:.2f}")
