"""The tasks of a run, one per stage, in the order of the paper's Figure 4."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prefect import task

from srd_core.config import Arm
from srd_core.data.manifest import StageManifest
from srd_core.stages import inventory, named, seal
from srd_core.stages.attention import ATTENTION
from srd_core.stages.backdoor import BACKDOOR
from srd_core.stages.bounds import BOUNDS
from srd_core.stages.calibrate import CALIBRATE
from srd_core.stages.census import CENSUS
from srd_core.stages.claim import claim
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.cover import COVER
from srd_core.stages.learn import LEARN
from srd_core.stages.probe import PROBE
from srd_core.stages.report import REPORT
from srd_core.stages.retrain import MODEL, RETRAIN
from srd_core.stages.sanitize import SANITIZE
from srd_core.stages.score import SCORE
from srd_core.stages.screen import screen_stage
from srd_core.stages.spar import SPAR
from srd_core.stages.stage import Run
from srd_core.stages.synthesize import SYNTHESIZE
from srd_core.stages.trusted import BASE, FLUENCY, REFERENCE
from srd_core.stages.weigh import WEIGH
from tasks.stage_task import OPTIONS, StageTask, stage_task

census = stage_task(CENSUS)
fluency = stage_task(FLUENCY)
base = stage_task(BASE)
reference = stage_task(REFERENCE)
synthesize = stage_task(SYNTHESIZE)
spar = stage_task(SPAR)
learn = stage_task(LEARN)
bounds = stage_task(BOUNDS)
calibrate = stage_task(CALIBRATE)
weigh = stage_task(WEIGH)
consensus = stage_task(CONSENSUS)
retrain = stage_task(RETRAIN)
backdoor = stage_task(BACKDOOR)
score = stage_task(SCORE)
probe = stage_task(PROBE)
attention = stage_task(ATTENTION)
model = stage_task(MODEL)
report = stage_task(REPORT)
sanitize = stage_task(SANITIZE)


def screen(arm: str) -> StageTask:
    """The task in which that screen looks at the suspect set."""
    return stage_task(screen_stage(arm))


def cleanse(run: Run, arm: Arm) -> StageTask:
    """The task that treats the suspect set as `arm` says."""
    return stage_task(COVER if arm == "covered" else cleanse_stage(run, arm))


@task(name="check", **OPTIONS)
def check_named(run: Run) -> None:
    """See `srd_core.stages.named.check_named`."""
    named.check_named(run.config)


@task(name="inventory", **OPTIONS)
def take_inventory(run: Run, role: str) -> StageManifest:
    """See `srd_core.stages.inventory.take`: the listing is the truth."""
    return inventory.take(run, role)


@task(name="claim", **OPTIONS)
def claim_sink(run: Run, inputs: Mapping[str, StageManifest]) -> None:
    """See `srd_core.stages.claim.claim`: a sink belongs to one run, and a shard is suspect or trusted."""
    if "trusted" in inputs:
        inventory.check_apart(inputs)
    claim(run, inputs)


@task(name="seal", **OPTIONS)
def write_manifest(run: Run, manifests: Mapping[str, StageManifest], kind: seal.Kind = seal.CLEANSED) -> StageManifest:
    """See `srd_core.stages.seal.seal`: written last, it says that everything is there."""
    return seal.seal(run, manifests, kind=kind)


@task(name="verdict", **OPTIONS)
def read_verdict(run: Run) -> dict[str, Any]:
    """What `verdict.json` at the sink says."""
    verdict: dict[str, Any] = json.loads(run.sink_storage.read_bytes("verdict.json"))
    return verdict
