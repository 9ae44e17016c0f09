"""Attacks that work something out first, kept in a folder: `attack.json` with name and settings, `attack.safetensors` with the arrays,
and `encoder/` with what images are optimised on, where that goes on at test time.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from srd_core.attacks.base import Attack
from srd_core.attacks.registry import get, names
from srd_core.attacks.settings import PLAIN, configured, settings_of
from srd_core.attacks.surrogate import Encoder
from srd_core.data.inventory import take_inventory
from srd_core.data.loading import load_canvas
from srd_core.errors import ConfigError, SourceError

_SETTINGS, _ARRAYS, _ENCODER = "attack.json", "attack.safetensors", "encoder"


def prepare(attack: Attack, source: str, encoder: Encoder, *, seed: int, images: int = 256) -> Attack:
    """The attack with what it works out from the first `images` of the shards at `source`; unchanged if it needs nothing.

    Raises:
        SourceError: there is no usable image, or none that the attack is about.
    """
    if not attack.needs_encoder:
        return attack
    with TemporaryDirectory(prefix="srd-attack-") as folder:
        pairs, _ = load_canvas(take_inventory(source).shards, encoder.canvas, Path(folder), limit=images)
        if not len(pairs.images):
            raise SourceError(f"{source} has no usable image", hint="Run `srd inspect` on it to see why")
        shown = [number for number, texts in sorted(pairs.references().items()) if attack.shows(texts)]
        if not shown:
            raise SourceError(
                f"none of the first {len(pairs.images)} images of {source} is one that {attack.name} is about",
                hint="Choose another attack or another source",
            )
        return attack.prepared(np.array(pairs.images[shown]), encoder, seed)


def save(attack: Attack, folder: Path) -> None:
    """Write both files into `folder`, which is made when missing: plain settings and arrays. What else an attack has keeps its default."""
    from safetensors.numpy import save_file

    values = {field.name: getattr(attack, field.name) for field in fields(attack)}  # type: ignore[arg-type]
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    encoder = values.pop("encoder", None)
    if encoder is not None:
        encoder.save(folder / _ENCODER)
    settings = {name: value for name, value in values.items() if isinstance(value, PLAIN)}
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / _ARRAYS)
    (folder / _SETTINGS).write_text(json.dumps({"name": attack.name, "settings": settings}, indent=1, sort_keys=True) + "\n")


def find(spec: str) -> Attack:
    """The attack of that name, or the prepared one in that folder (whatever holds a slash).

    Raises:
        ConfigError: there is none.
    """
    if "/" not in spec:
        if spec not in names() and (Path(spec) / _SETTINGS).is_file():
            raise ConfigError(f"{spec!r} is a folder, and no name of an attack", hint=f"Write ./{spec} for the attack that it holds")
        return get(spec)
    try:
        return _load(Path(spec))
    except ConfigError as error:
        raise ConfigError(f"{spec} holds no prepared attack: {error.message}", hint=error.hint) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "Give the name of an attack, or the folder that `srd poison --surrogate` wrote"
        raise ConfigError(f"{spec} holds no prepared attack: {error}", hint=hint) from error


def _load(folder: Path) -> Attack:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    written: dict[str, Any] = json.loads((folder / _SETTINGS).read_text())
    attack, rest = configured(written["name"], written["settings"]), dict[str, Any]()
    try:
        arrays = load_file(folder / _ARRAYS)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if taken := arrays.keys() & settings_of(attack).keys():
        raise ValueError(f"{_ARRAYS} has a setting among its arrays: {min(taken)}")
    if (folder / _ENCODER).is_dir():
        from srd_core.models.flamingo import FlamingoCaptioner

        rest["encoder"] = FlamingoCaptioner.load(folder / _ENCODER)
    return replace(attack, **arrays, **rest)  # type: ignore[type-var]
