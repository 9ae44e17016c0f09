"""A baseline defence looks at the whole suspect set: a score and a verdict for every pair.

Controls that are told what no defender knows have a stage of their own; no other may read it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from srd_core.data.loading import load_canvas
from srd_core.data.manifest import StageManifest
from srd_core.defences.listed import load_condemned, load_suspicion, load_verdicts, save_verdicts
from srd_core.defences.screens.base import Screening, get
from srd_core.errors import SourceError
from srd_core.seeds import derive
from srd_core.stages.arms import TOLD
from srd_core.stages.captioners import captioner
from srd_core.stages.files import local_file, shards_of, trusted_pairs
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage

_FILE = "screen.parquet"


def _screen(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config, arm = run.config, details["arm"]
    suspect, _ = load_canvas(shards_of(inputs["source"]), config.canvas, folder / "suspect", limits=config.limits)
    if not len(suspect):
        raise SourceError("the suspect set has no usable pair", hint="Run `srd inspect` on it to see why")
    work = Screening(
        suspect=suspect,
        trusted=trusted_pairs(run, inputs["trusted"], folder / "trusted", "holdout"),
        base=lambda: captioner(inputs["base"], folder),
        schedule=config.retrain.schedule,
        false_positives=config.evidence.false_positives,
        seed=derive(config.seed, "screen", arm),
        poison_rate=config.oracle.poison_rate if arm in TOLD else None,
    )
    screened = get(arm)(work)
    save_verdicts(folder / _FILE, suspect.ids, screened)
    facts = {"pairs": len(suspect), "condemned": int(screened.condemned.sum())}
    return Outcome({_FILE: folder / _FILE}, {**details, **facts, "planted": list(screened.planted), "silent": screened.silent})


def verdicts(inputs: Inputs, folder: Path, shards: Collection[str] | None = None) -> dict[str, bool]:
    """Whether each pair of `shards` is condemned; None: of all."""
    return load_verdicts(local_file(inputs["screen"].outputs[_FILE], folder / "screen"), shards)


def condemned_by_words(manifest: StageManifest, folder: Path, shards: Collection[str] | None = None) -> dict[str, str]:
    """The condemned pairs of `shards`, each with its word; None: of all."""
    return load_condemned(local_file(manifest.outputs[_FILE], folder), shards)


def planted_words(manifest: StageManifest) -> list[str]:
    """What was planted with the words that condemn."""
    return list(manifest.facts["planted"])  # type: ignore[arg-type]


def silence(manifest: StageManifest) -> str:
    """Why that screen could look for nothing; empty if it could."""
    return str(manifest.facts["silent"])


def suspicion(manifest: StageManifest, folder: Path) -> Callable[[str], dict[str, float]]:
    """Reads the score of each pair of the shard of that name."""
    path = local_file(manifest.outputs[_FILE], folder)
    return lambda shard: load_suspicion(path, (shard,))


_READS = ("canvas", "holdout", "limits", "retrain.schedule", "evidence.false_positives", "seed")
SCREEN = Stage("screen", _screen, _READS)
TOLD_SCREEN = Stage("screen", _screen, (*_READS, "oracle.poison_rate"))


def screen_stage(arm: str) -> Stage:
    """The stage in which that screen runs."""
    return TOLD_SCREEN if arm in TOLD else SCREEN
