"""`srd evaluate`: caption test shards with a model, and score."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flows.cli.console import watching
from flows.cli.group import verbose_option
from flows.cli.launch import checked, reachable
from flows.cli.names import WithNames, attacks, profiles
from flows.cli.options import Given, LocalFolder, configuration, json_option
from srd_core.config import Config, quoted
from srd_core.hardware import settle_threads
from srd_core.progress import stage


@click.command("evaluate", cls=WithNames, names=(profiles, attacks), short_help="Caption test shards with a model and score.")
@click.argument("model", type=LocalFolder())
@click.argument("test")
@configuration
@click.option("--attack", metavar="NAME", type=Given(), help="Also put this attack's trigger on the images and report its success.")
@click.option("--target", type=Given(), help="Word that the attack plants.  [default: the configuration's, banana]")
@json_option
@verbose_option
def command(
    model: Path,
    test: str,
    profile: str | None,
    config_file: str | None,
    settings: tuple[str, ...],
    attack: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Score the MODEL folder on the shards at TEST: BLEU-4, CIDEr, and with --attack the ASR, with 95 % intervals."""
    known = {"attack": attack, "target": target}
    overrides = [f"evaluation.{key}={quoted(value)}" for key, value in known.items() if value is not None]
    config = checked(profile, config_file, [*settings, *overrides])
    reachable(test)
    settle_threads()
    with watching(), stage("evaluate"):
        scores = _scores(model, test, config)
    if as_json:
        click.echo(json.dumps(scores))
        return
    for name, value in scores.items():
        click.echo(f"{name}: {_figure(value)}")


def _scores(model: Path, test: str, config: Config) -> dict[str, Any]:
    from srd_core.data.inventory import take_inventory
    from srd_core.data.manifest import StageManifest
    from srd_core.models.flamingo import FlamingoCaptioner
    from srd_core.scoring.asr import attack_success, false_trigger_rate
    from srd_core.scoring.captioning import bleu_4, cider_per_image
    from srd_core.scoring.intervals import bootstrap_cider
    from srd_core.seeds import derive
    from srd_core.stages.test_images import TestSet, planted

    captioner = FlamingoCaptioner.load(model)
    captioner = captioner.asked(config.evaluation.prompt) if config.evaluation.prompt else captioner
    config = config.model_copy(update={"canvas": captioner.canvas})
    attack = planted(config)
    inventory = StageManifest(stage="inventory", key="", facts={"inventory": take_inventory(test).model_dump(mode="json")})
    images = TestSet(config, inventory, attack, holdout_only=False)
    clean = captioner.caption(images.clean)
    seed = derive(config.seed, "bootstrap")
    scores: dict[str, Any] = {
        "images": len(clean),
        "bleu_4": bleu_4(clean, images.references, seed).model_dump(mode="json"),
        "cider": bootstrap_cider(cider_per_image(clean, images.references), seed).model_dump(mode="json"),
    }
    if attack:
        target = config.evaluation.target
        success = attack_success(captioner.caption(images.triggered), images.tested_references, target, instead_of=images.instead_of)
        scores["asr"] = success.asr.model_dump(mode="json")
        scores["false_trigger"] = false_trigger_rate(clean, images.references, target).model_dump(mode="json")
    return scores


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return f"{_figure(value['value'])} ({_figure(value['low'])} to {_figure(value['high'])})"
    return f"{value:.3f}" if isinstance(value, float) else "unknown" if value is None else str(value)
