"""What there is to read, fixed once at the start of a run. Never cached: the listing is the truth."""

from __future__ import annotations

from collections.abc import Mapping

from srd_core.data.inventory import take_inventory
from srd_core.data.loading import read_samples
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Sample
from srd_core.errors import ConfigError, SourceError
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Run

_EMPTY = 10_240
"""Bytes of an archive without members, as tar tools pad it."""


def take(run: Run, role: str) -> StageManifest:
    """List the shards of one input.

    Args:
        run: the run.
        role: `source`, `trusted`, `attacker` or `test:DOMAIN`.

    Raises:
        SourceError: missing, without shards, or without one readable pair.
    """
    uri = _uri(run, role)
    inventory = take_inventory(uri)
    if not any(isinstance(item, Sample) for item in read_samples(inventory.shards, run.config.limits)):
        raise SourceError(
            f"{uri} holds {len(inventory.shards)} shards, but no sample with an image and a caption",
            hint="Samples are KEY.jpg/.png/.webp with KEY.txt or KEY.json (caption, captions)",
        )
    return StageManifest(stage="inventory", key=inventory.digest, facts={"inventory": inventory.model_dump(mode="json"), "role": role})


def check_apart(inputs: Mapping[str, StageManifest]) -> None:
    """Make sure that no shard is suspect and trusted at once, under whatever names; shards that may be empty are passed over.

    Local shards are known by their content, those on S3 by their ETag: a copy in the other place is not recognised.

    Raises:
        ConfigError: one is: nobody has vouched for it, and everything would be measured against it.
    """
    trusted = {shard.identity: shard for shard in shards_of(inputs["trusted"])}
    for shard in (shard for shard in shards_of(inputs["source"]) if shard.size > _EMPTY):
        if (same := trusted.get(shard.identity)) is not None and same.size == shard.size:
            raise ConfigError(
                f"{shard.uri}/{shard.key} of the suspect set is {same.uri}/{same.key} of the trusted set",
                hint="Give a trusted set that you vouch for, with none of the suspect set's pairs in it",
            )


def _uri(run: Run, role: str) -> str:
    if role == "source":
        return run.source
    if role == "trusted":
        return run.trusted
    if role == "attacker" and run.config.evaluation.attacker:
        return run.config.evaluation.attacker
    kind, _, domain = role.partition(":")
    if kind != "test" or domain not in run.config.evaluation.tests:
        raise ConfigError(f"there is no input {role!r}", hint="Inputs are source, trusted, attacker and test:DOMAIN")
    return run.config.evaluation.tests[domain]
