"""Models that a configuration only names and that lie on this machine: their content is for the keys of the stages that load them.

A name on the hub stands for whatever the hub holds under it, at the revision that the configuration gives; that is in no key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from srd_core.config import Config
from srd_core.stages.stage import Run
from srd_core.storage.base import unchanged_digest

ENCODER = "reward.encoder"


def named_models(config: Config) -> dict[str, str]:
    """The models that the configuration names, by the key that names them."""
    named = {ENCODER: config.reward.encoder, "reward.language_model": config.reward.language_model}
    for role, model in (("base", config.base), ("reference", config.reference)):
        named[f"{role}.architecture.language.path"] = model.architecture.language.path
        named[f"{role}.architecture.vision.pretrained"] = model.architecture.vision.pretrained
    return {key: name for key, name in named.items() if name}


def named_places(config: Config) -> dict[str, Path]:
    """The files and folders on this machine among them."""
    return {key: Path(name) for key, name in named_models(config).items() if Path(name).exists()}


def model_digests(run: Run, section: str) -> dict[str, str]:
    """Digest of every file of those that `section` of the configuration names, by key and place below it. Hidden files are left out."""
    places = {key: place for key, place in named_places(run.config).items() if key.startswith(f"{section}.")}
    return {
        f"{key}/{path.relative_to(place).as_posix()}": unchanged_digest(path) for key, place in places.items() for path in _files(place)
    }


def reward_models(run: Run) -> dict[str, str]:
    """As `model_digests`, of what scores the fidelity of captions."""
    return model_digests(run, "reward")


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, below, names in os.walk(place):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith(".") and Path(folder, name).is_file())
