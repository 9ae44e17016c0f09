"""Decide and mask, shard by shard: cleansed shards, withheld samples, and one decision row a pair.

The arm that the configuration hands back publishes at the root of the sink; the others, which exist to be compared, under `arms/`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from srd_core.config import Arm
from srd_core.data.codec import Codec
from srd_core.data.inventory import ShardRef, open_shard
from srd_core.defences.base import Defence
from srd_core.defences.collision import first_copies
from srd_core.defences.controls import NoDefence
from srd_core.defences.listed import Listed
from srd_core.defences.masking import MaskEverything
from srd_core.defences.rewriting import Tally, rewrite_shard
from srd_core.defences.treatment import Output
from srd_core.defences.weighed import Weighed, read_weighed
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.random_policy import RandomPolicy
from srd_core.progress import counter
from srd_core.seeds import derive
from srd_core.stages.arms import JOINED, SCREENS, UNTOUCHED
from srd_core.stages.consensus import condemned
from srd_core.stages.files import local_folder, shards_of
from srd_core.stages.screen import condemned_by_words, planted_words, verdicts
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.weigh import weighed_files


def _cleanse(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    return cleansed(run, inputs, details, folder, _defence(run, inputs, details, folder))


def cleansed(run: Run, inputs: Inputs, details: Details, folder: Path, defence: Defence) -> Outcome:
    """Every shard that `details` name through `defence`."""
    arm: Arm = details["arm"]
    wanted = set(details["shards"])
    prefix = "" if arm == run.config.cleanse.mode else f"arms/{arm}/"
    shards = [ref for ref in shards_of(inputs["source"]) if ref.name in wanted]
    total = Tally()
    files: dict[str, Path] = {}
    size = sum(shard.size for shard in shards)
    with counter(f"{arm}: kB of images", total=size // 1000) as count, Codec(run.config.limits) as codec:
        for number, shard in enumerate(shards):
            place = folder / "made" / str(number)
            made, tally = _one_shard(run, arm, shard, defence, place, codec, lambda read: count(read // 1000))
            total = total + tally
            files |= {prefix + name: path for name, path in made.items()}
    return Outcome(files, {"arm": arm, **total.as_facts()})


def _one_shard(
    run: Run, arm: Arm, shard: ShardRef, defence: Defence, folder: Path, codec: Codec, progress: Callable[[int], None]
) -> tuple[dict[str, Path], Tally]:
    config = run.config
    output = Output(config.cleanse.quality, config.cleanse.verbatim)
    with open_shard(shard) as stream:
        return rewrite_shard(
            stream,
            shard.name,
            defence,
            folder,
            codec,
            canvas=config.canvas,
            output=output,
            limits=config.limits,
            arrange=first_copies if arm in JOINED else iter,
            progress=progress,
        )


def _defence(run: Run, inputs: Inputs, details: Details, folder: Path) -> Defence:
    arm, shards = details["arm"], details["shards"]
    if arm in UNTOUCHED:
        return NoDefence()
    if arm in ("random", "collision-random"):
        return MaskEverything(RandomPolicy(seed=derive(run.config.seed, "random arm")))
    if arm in ("srd", "collision-srd"):
        return MaskEverything(LearnedPolicy.load(local_folder(inputs["policy"], folder / "learned", "policy")))
    if arm in SCREENS:
        return Listed(arm, verdicts(inputs, folder, shards))
    pairs = {pair.pair: pair for path in weighed_files(inputs["weighed"], folder) for pair in read_weighed(path)}
    if not run.config.evidence.second_look:
        return Weighed(pairs, action=run.config.evidence.action)
    shared = condemned(inputs["consensus"])
    planted = [*(word for item in shared for word in item.planted), *planted_words(inputs["pictures"])]
    pictured = condemned_by_words(inputs["pictures"], folder / "pictures", shards)
    return Weighed(pairs, [item.word for item in shared], pictured, planted, run.config.evidence.action)


READS = ("canvas", "limits", "cleanse", "seed")
"""What rewriting shards takes of the configuration."""


def cleanse_stage(run: Run, arm: Arm) -> Stage:
    """The stage of one arm, but of `covered`, which is `srd_core.stages.cover`."""
    reads = (*READS, "evidence.action", "evidence.second_look") if arm == "evidence" else READS
    return Stage(f"cleanse-{arm}", _cleanse, reads, publishes=arm == run.config.cleanse.mode)
