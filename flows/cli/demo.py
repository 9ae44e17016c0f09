"""`srd demo`: poison, attack, defend, score and report on the built-in scenes, offline, in minutes."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.answer import tell
from flows.cli.console import say, watching
from flows.cli.group import verbose_option
from flows.cli.launch import checked, run_flow
from flows.cli.names import WithNames, attacks, profiles
from flows.cli.options import Given, LocalFolder, json_option
from srd_core.errors import ConfigError
from srd_core.places import about_place, check_folder
from srd_core.progress import stage

_BRIEF = {"scenes": ("policy.dqn.steps=24576",)}
"""By profile: what a demo does in less time than an experiment. The policy is most of it."""


@click.command("demo", cls=WithNames, names=(attacks, profiles), short_help="The whole pipeline on built-in scenes, offline.")
@click.option("--out", "out", default="demo", show_default=True, type=LocalFolder(), help="Folder for data and results.")
@click.option("--seed", default=0, show_default=True, help="Another seed is another data set.")
@click.option("--attack", default="badnet", show_default=True, type=Given(), help="Attack to plant.")
@click.option("--profile", default="scenes", show_default=True, type=Given(), help="Configuration of the run.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one key; may be repeated.")
@json_option
@verbose_option
def command(out: Path, seed: int, attack: str, profile: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Render scenes, poison 10 % of the image-caption pairs, then run the defence on them and report, all below one folder.

    Run again to continue an interrupted demo; finished stages are not repeated. With profile scenes the policy is learned in three fifths
    of the profile's steps; --set policy.dqn.steps=… for others.
    """
    settings = (*_BRIEF.get(profile, ()), *settings)
    config = checked(profile, None, list(settings))
    from srd_core.attacks.registry import get
    from srd_core.experiments.scenes import SceneExperiment
    from srd_core.stages.named import check_named

    experiment = SceneExperiment(attack=attack, seed=seed, side=config.canvas, target=config.evaluation.target)
    get(attack)
    check_named(config, planting=True)
    check_folder(out)
    _same(out, experiment.model_dump_json())
    say(f"rendering scenes and planting the {attack} backdoor in {out}")
    with watching(), stage("data"), about_place(out / "data"):
        data = experiment.make(out / "data")
    sink = str(out / "result")
    overrides = [f"seed={seed}", *data.overrides(), *settings]
    verdict = run_flow("srd", data.source, sink, data.trusted, profile=profile, overrides=overrides)
    tell(verdict, sink, as_json=as_json)


def _same(out: Path, description: str) -> None:
    """Refuse to continue a demo of other settings in one folder."""
    note = out / "experiment.json"
    if note.exists() and note.read_text() != description:
        raise ConfigError(f"{out} holds a demo with other settings", hint="Choose another --out, or remove the folder")
    out.mkdir(parents=True, exist_ok=True)
    note.write_text(description)
