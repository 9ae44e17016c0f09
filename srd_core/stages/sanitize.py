"""The data path by itself: strict reading, images re-written from pixels, deterministic shards, decisions, manifest. No model, no policy.

Each shard is a stage of its own, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from srd_core.data.codec import Codec
from srd_core.data.inventory import ShardRef, open_shard
from srd_core.data.manifest import StageManifest
from srd_core.defences.controls import NoDefence
from srd_core.defences.rewriting import Tally, rewrite_shard
from srd_core.defences.treatment import Output
from srd_core.progress import counter
from srd_core.progress import stage as progress_stage
from srd_core.stages import inventory
from srd_core.stages.claim import claim
from srd_core.stages.files import shards_of
from srd_core.stages.seal import SANITIZED, seal
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage


def _sanitize(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    (shard,) = [ref for ref in shards_of(inputs["source"]) if ref.name == details["shard"]]
    output = Output(run.config.cleanse.quality, run.config.cleanse.verbatim)
    with (
        Codec(run.config.limits, children=run.config.decoders) as codec,
        counter(f"{shard.name}: kB of images", total=shard.size // 1000) as count,
        open_shard(shard) as stream,
    ):
        files, tally = rewrite_shard(
            stream,
            shard.name,
            NoDefence(),
            folder,
            codec,
            canvas=run.config.canvas,
            output=output,
            limits=run.config.limits,
            progress=lambda read: count(read // 1000),
        )
    return Outcome(files, tally.as_facts())


SANITIZE = Stage("sanitize", _sanitize, ("canvas", "limits", "cleanse.quality", "cleanse.verbatim"), publishes=True)


def sanitize(run: Run) -> Tally:
    """Sanitize every shard of the source into the sink and seal it; returns what happened to the pairs.

    Raises:
        SourceError: as `inventory.take`. StorageError: the source cannot be read or the sink not written.
    """
    with progress_stage("inventory"):
        source = inventory.take(run, "source")
        claim(run, {"source": source})
    made = {name_of(shard): SANITIZE.execute(run, {"source": source}, {"shard": shard.name}) for shard in shards_of(source)}
    seal(run, {"source": source, **made}, kind=SANITIZED)
    return total(made.values())


def name_of(shard: ShardRef) -> str:
    """How the result for a shard is known in the manifest."""
    return f"sanitize-{shard.name}"


def total(made: Iterable[StageManifest]) -> Tally:
    """What happened to the pairs of all these shards."""
    tally = Tally()
    for manifest in made:
        tally = tally + Tally.from_facts(manifest.facts)
    return tally
