"""The control `covered`: as any arm, but told where the triggers are. A stage of its own, since no other that decides may read that."""

from __future__ import annotations

from pathlib import Path

from srd_core.config import Config
from srd_core.defences.covering import CoverTriggers
from srd_core.errors import ConfigError
from srd_core.policy.random_policy import RandomPolicy
from srd_core.seeds import derive
from srd_core.stages.cleanse import READS, cleansed
from srd_core.stages.given import file_digest_at
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.truth import Places, listed_pairs


def told_places(config: Config) -> Places:
    """Where triggers are, by the list that `oracle.truth` names.

    Raises:
        ConfigError: it names none. SourceError, StorageError: as `listed_pairs`.
    """
    if config.oracle.truth is None:
        hint = "It is a control for `srd bench`; set oracle.truth to the list that `srd poison` wrote to use it elsewhere"
        raise ConfigError("covered hides every trigger, and was not told where they are", hint=hint)
    return listed_pairs(config.oracle.truth)


def _cover(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    elsewhere = RandomPolicy(seed=derive(run.config.seed, "random arm"))
    return cleansed(run, inputs, details, folder, CoverTriggers(told_places(run.config), elsewhere))


COVER = Stage("cleanse-covered", _cover, (*READS, "oracle.truth"), named=lambda run: file_digest_at(run.config.oracle.truth, "truth"))
