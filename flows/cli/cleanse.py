"""`srd cleanse`: the whole flow, here and now."""

from __future__ import annotations

import click

from flows.cli.answer import tell
from flows.cli.group import verbose_option
from flows.cli.launch import checked, reachable, run_flow, usable_sink
from flows.cli.names import WithNames, attacks, profiles
from flows.cli.options import Given, configuration, json_option, speakable
from srd_core.config import quoted
from srd_core.errors import ConfigError


@click.command("cleanse", cls=WithNames, names=(profiles, attacks), short_help="Cleanse a suspect set, retrain, score, report.")
@click.argument("source")
@click.argument("sink")
@click.option(
    "--trusted", required=True, metavar="T", help="Shards of a few thousand pairs that you vouch for and that look like SOURCE; see README."
)
@configuration
@click.option("--test", "tests", multiple=True, metavar="DOMAIN=URI", help="Clean test shards; repeatable. Default: the trusted hold-out.")
@click.option(
    "--attack", metavar="NAME", type=Given(), help="In experiments: put this attack's trigger on the test images and report its success."
)
@click.option("--target", metavar="WORD", type=Given(), help="In experiments: the word that the attack plants.")
@click.option("--truth", metavar="FILE", type=Given(), help="In experiments: the list of poisoned pairs that `srd poison` wrote.")
@json_option
@verbose_option
def command(
    source: str,
    sink: str,
    trusted: str,
    profile: str | None,
    config_file: str | None,
    settings: tuple[str, ...],
    tests: tuple[str, ...],
    attack: str | None,
    target: str | None,
    truth: str | None,
    as_json: bool,
) -> None:
    """Cleanse the shards at SOURCE into SINK, retrain a model on the result, score it and report.

    SOURCE and T are a folder, a `*.tar` glob or s3://bucket/prefix; SINK is a folder or s3://bucket/prefix.
    """
    known = {"attack": attack, "target": target, "truth": truth}
    overrides = [*settings, *(f"evaluation.{key}={quoted(value)}" for key, value in known.items() if value is not None)]
    overrides += [f"evaluation.tests.{domain}={quoted(uri)}" for domain, uri in map(_test, tests)]
    config = checked(profile, config_file, overrides)
    speakable(source, trusted, *config.evaluation.tests.values())
    for place in filter(None, (sink, config.work)):
        usable_sink(place)
    reachable(source, trusted, *config.evaluation.tests.values())
    from srd_core.stages.named import check_named

    check_named(config)
    verdict = run_flow("srd", source, sink, trusted, profile=profile, config_file=config_file, overrides=overrides)
    tell(verdict, sink, as_json=as_json)


def _test(text: str) -> tuple[str, str]:
    domain, equals, uri = text.partition("=")
    if not (domain.replace("-", "").replace("_", "").isalnum() and equals and uri):
        raise ConfigError(f"--test {text!r} is not DOMAIN=URI", hint="For example --test coco=data/coco-test (letters, digits, - and _)")
    return domain, uri
