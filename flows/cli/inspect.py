"""`srd inspect`: what in a set of shards is damaged, dangerous or would be changed. Reads only."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from flows.cli.console import watching
from flows.cli.group import verbose_option
from flows.cli.launch import checked, reachable, writable
from flows.cli.names import WithNames, profiles
from flows.cli.options import configuration, json_option
from srd_core.data.inspection import Finding, Inspection
from srd_core.data.inventory import take_inventory
from srd_core.data.reasons import REASONS, Level
from srd_core.places import about_place
from srd_core.progress import stage

_SHOWN = 20
_KEPT = 10_000
"""Findings of a level that are told one by one; all are counted."""
_LEVELS: tuple[Level, ...] = ("error", "warning", "note")
FOUND = 1


@click.command("inspect", cls=WithNames, names=(profiles,), short_help="Check shards without writing anything.")
@click.argument("source")
@configuration
@click.option("--sarif", "sarif_file", metavar="FILE", type=click.Path(path_type=Path), help="Also write the findings as SARIF 2.1.0.")
@json_option
@verbose_option
def command(
    source: str, profile: str | None, config_file: str | None, settings: tuple[str, ...], sarif_file: Path | None, as_json: bool
) -> None:
    """Read the shards at SOURCE to the end. Exit code 0: nothing found, or notes only; 1: findings; 2: could not be read."""
    config = checked(profile, config_file, list(settings))
    if sarif_file is not None:
        writable(sarif_file)
    reachable(source)
    shards = list(take_inventory(source).shards)
    inspection = Inspection(shards, config.limits, children=config.decoders, rewrites=not config.cleanse.verbatim)
    with watching(), stage("inspect"):
        by_level: dict[Level, list[Finding]] = {level: [] for level in _LEVELS}
        for finding in inspection.findings():
            if len(by_level[finding.level]) < _KEPT:
                by_level[finding.level].append(finding)
    findings = [finding for level in _LEVELS for finding in by_level[level]]
    if sarif_file is not None:
        from srd_core.report.sarif import sarif

        with about_place(sarif_file):
            sarif_file.write_text(json.dumps(sarif(findings, shards, inspection.total), indent=1, ensure_ascii=False), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(_facts(inspection, findings), ensure_ascii=False))
    else:
        _tell(inspection, findings)
    if by_level["error"] or by_level["warning"]:
        raise click.exceptions.Exit(FOUND)


def _facts(inspection: Inspection, findings: list[Finding]) -> dict[str, object]:
    return {
        "shards": len(inspection.shards),
        "samples": inspection.samples,
        "pairs": inspection.pairs,
        "by_reason": inspection.by_reason,
        "findings": [{**asdict(finding), "level": finding.level} for finding in findings],
    }


def _tell(inspection: Inspection, findings: list[Finding]) -> None:
    for finding in findings[:_SHOWN]:
        place = f"{finding.shard}/{finding.key}" if finding.key else finding.shard
        click.echo(f"{finding.level:7} {place}: {finding.reason}: {finding.detail}")
    if inspection.total > _SHOWN:
        click.echo(f"… and {inspection.total - _SHOWN:,} more (--json and --sarif list up to {_KEPT:,} of a level)")
    for reason, count in sorted(inspection.by_reason.items(), key=lambda item: -item[1]):
        click.echo(f"{count:,} × {reason}: {REASONS[reason].meaning} {REASONS[reason].remedy}")
    shards = "1 shard" if len(inspection.shards) == 1 else f"{len(inspection.shards):,} shards"
    click.echo(f"{inspection.samples:,} usable samples with {inspection.pairs:,} pairs in {shards}")
