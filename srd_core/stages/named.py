"""What a configuration names besides the data: looked at before anything is done, so that a slip shows at once and not after an hour."""

from __future__ import annotations

from srd_core.config import Config
from srd_core.defences.channels.base import get
from srd_core.stages.cover import told_places
from srd_core.stages.test_images import planted
from srd_core.stages.truth import poisoned_pairs


def check_named(config: Config) -> None:
    """Look whether evidence channels, attack and list of poisoned pairs are there.

    Raises:
        ConfigError: an unknown evidence channel or attack, one that cannot plant `evaluation.target`, or no list for `covered`.
        SourceError: as `poisoned_pairs`. StorageError: the list cannot be read.
    """
    for channel in config.evidence.channels:
        get(channel)
    planted(config)
    poisoned_pairs(config)
    if "covered" in config.retrain.arms:
        told_places(config)
