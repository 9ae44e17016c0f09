"""What a configuration names besides the data: looked at before anything is done, so that a slip shows at once and not after an hour."""

from __future__ import annotations

from srd_core.attacks.base import Attack
from srd_core.attacks.registry import get as by_name
from srd_core.attacks.registry import names
from srd_core.config import Config
from srd_core.defences.channels.base import get
from srd_core.defences.screens.ascent import told_rate
from srd_core.errors import ConfigError
from srd_core.hub import ENCODERS, check_name
from srd_core.stages.cover import told_places
from srd_core.stages.given import check_weights
from srd_core.stages.local_models import ENCODER, named_models
from srd_core.stages.test_images import planted
from srd_core.stages.truth import poisoned_pairs


def check_named(config: Config, *, planting: bool = False) -> None:
    """Look whether evidence channels, attack, attacker and list of poisoned pairs are there, and arms told that have to be.

    `planting`: an experiment is planted before the run, and its data say what attack and attacker are, and what arms are told.

    Raises:
        ConfigError: a model whose name on the hub is a folder here too, weights for a model that is saved whole or that are not there, an
            unknown evidence channel or attack, one that cannot plant `evaluation.target`, an attacker who trains and no attack of his, no
            list for `covered`, or no rate for `abl-oracle`.
        SourceError: as `poisoned_pairs`. StorageError: the list cannot be read.
    """
    _check_folders(config)
    for role in ("base", "reference"):
        check_weights(getattr(config, role), role)
    for channel in config.evidence.channels:
        get(channel)
    attack = planted(config)
    poisoned_pairs(config)
    if planting:
        return
    _check_attacker(config, attack)
    arms = (*config.retrain.arms, config.cleanse.mode)
    if "covered" in arms:
        told_places(config)
    if "abl-oracle" in arms:
        told_rate(config.oracle.poison_rate)


def _check_folders(config: Config) -> None:
    """Models are looked at where they are loaded too, after an hour perhaps."""
    for key, name in named_models(config).items():
        check_name(name, owner=ENCODERS if key == ENCODER else "", what=key)


def _check_attacker(config: Config, attack: Attack | None) -> None:
    if config.evaluation.attacker is None:
        return
    hint = f"Name one in evaluation.attack that does ({', '.join(name for name in names() if by_name(name).trains)}), or leave out attacker"
    if attack is None:
        raise ConfigError("evaluation.attacker has the clean pairs of an attacker who trains, and no attack is named", hint=hint)
    if not attack.trains:
        raise ConfigError(f"evaluation.attacker has the clean pairs of an attacker who trains, and with {attack.name} none does", hint=hint)
