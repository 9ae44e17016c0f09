"""Findings as SARIF 2.1.0, which code hosts show in their security tabs. https://docs.oasis-open.org/sarif/sarif/v2.1.0/"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from srd_core import __version__
from srd_core.data.inspection import Finding
from srd_core.data.inventory import ShardRef
from srd_core.data.reasons import REASONS

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Sequence[Finding], shards: Iterable[ShardRef], total: int) -> dict[str, Any]:
    """One run of one tool; a rule for each reason, a result for each finding, placed by shard and sample.

    Where there were more in `total`, a notification of the run says so.
    """
    places = {shard.name: shard for shard in shards}
    rules = [_rule(name) for name in REASONS]
    index = {name: number for number, name in enumerate(REASONS)}
    results = [_result(finding, index[finding.reason], places[finding.shard]) for finding in findings]
    driver = {"name": "srd inspect", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "results": results, **(_cut_off(len(findings), total) if total > len(findings) else {})}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _cut_off(listed: int, total: int) -> dict[str, Any]:
    said = {
        "level": "warning",
        "message": {"text": f"{listed:,} of {total:,} findings are listed: the first of each level"},
    }
    return {"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [said]}]}


def _rule(name: str) -> dict[str, Any]:
    reason = REASONS[name]
    return {
        "id": name,
        "shortDescription": {"text": reason.meaning},
        "help": {"text": reason.remedy},
        "defaultConfiguration": {"level": reason.level},
    }


def _result(finding: Finding, rule: int, shard: ShardRef) -> dict[str, Any]:
    name = f"{finding.shard}/{finding.key}" if finding.key else finding.shard
    location = {
        "physicalLocation": {"artifactLocation": {"uri": quote(f"{shard.uri}/{shard.key}", safe="/:")}},
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "member" if finding.key else "module"}],
    }
    return {
        "ruleId": finding.reason,
        "ruleIndex": rule,
        "level": finding.level,
        "message": {"text": f"{name}: {finding.detail}"},
        "locations": [location],
    }
