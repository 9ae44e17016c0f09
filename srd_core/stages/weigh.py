"""The first look of evidence mode: every pair of some shards is weighed against the thresholds, nothing is written at the sink."""

from __future__ import annotations

from pathlib import Path

from srd_core.data.batches import batches
from srd_core.data.codec import Codec
from srd_core.data.inventory import open_shard
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Sample
from srd_core.data.shards import read_shard
from srd_core.defences.evidence import Evidence
from srd_core.defences.treatment import looked_at
from srd_core.defences.weighed import WeighedPair, WeighedWriter
from srd_core.progress import counter
from srd_core.stages.calibrate import load_calibration, witnesses
from srd_core.stages.files import local_file, shards_of
from srd_core.stages.local_models import reward_models
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage


def _weigh(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    evidence = Evidence(witnesses(run, inputs, folder), load_calibration(inputs, folder), config.evidence.action)
    wanted = set(details["shards"])
    shards = [ref for ref in shards_of(inputs["source"]) if ref.name in wanted]
    files, pairs, flagged = {}, 0, 0
    with counter("kB of images", total=sum(shard.size for shard in shards) // 1000) as count, Codec(config.limits) as codec:
        for shard in shards:
            name = f"{shard.name}.parquet"
            files[name] = folder / name
            with open_shard(shard) as stream, WeighedWriter(files[name]) as writer:
                for items in batches(read_shard(stream, shard.name, config.limits)):
                    for sample, decision in looked_at(items, evidence, codec, config.canvas):
                        for pair, caption, made in zip(sample.pairs(), sample.captions, decision.pairs, strict=True):
                            writer.write(WeighedPair(pair, caption, decision.reference, made, decision.q_value, decision.q_gain))
                            pairs, flagged = pairs + 1, flagged + (made.action != "keep")
                    count(sum(len(item.image) for item in items if isinstance(item, Sample)) // 1000)
    return Outcome(files, {**details, "pairs": pairs, "flagged": flagged})


def weighed_files(manifest: StageManifest, folder: Path) -> list[Path]:
    """The files of this stage, local, in the order of the shards."""
    return [local_file(ref, folder / manifest.key[:16]) for _, ref in sorted(manifest.outputs.items())]


WEIGH = Stage("weigh", _weigh, ("canvas", "limits", "evidence", "reward", "seed"), named=reward_models)
