"""What a configuration gives by its place: a saved captioner, weights, a list. Local paths and URIs of any storage."""

from __future__ import annotations

from pathlib import Path

from srd_core.config import ModelConfig
from srd_core.errors import ConfigError
from srd_core.models.flamingo import SETTINGS, no_captioner
from srd_core.scenes.shipped import shipped
from srd_core.storage import file_at, open_storage

_PACKAGE = "package:"


def file_digests(path: str | None) -> dict[str, str]:
    """Digest of every file below a folder, by name; nothing where no folder is given."""
    if path is None:
        return {}
    storage = open_storage(str(shipped(path.removeprefix(_PACKAGE))) if path.startswith(_PACKAGE) else path)
    return {info.key: storage.digest(info.key) for info in storage.list()}


def file_digest_at(uri: str | None, role: str) -> dict[str, str]:
    """Digest of one file, by what it is for; nothing where none is given."""
    if uri is None:
        return {}
    storage, name = file_at(uri)
    return {role: storage.digest(name)}


def check_weights(model: ModelConfig, role: str) -> None:
    """Look whether the weights that a new model is to start from are there.

    Raises:
        ConfigError: they are not, or the model is no new one. StorageError: nobody can tell.
    """
    if model.weights is None:
        return
    if model.path is not None:
        raise ConfigError(f"{role}.path names a saved model and {role}.weights what a new one starts from", hint="Give one of the two")
    storage, name = file_at(model.weights)
    if storage.stat(name) is None:
        raise ConfigError(f"there are no weights at {model.weights}, which {role}.weights names", hint="Give a safetensors file or its URI")


def saved_model(path: str, folder: Path) -> Path:
    """A saved captioner as a local folder, which is in `folder` if it lies elsewhere; `package:scenes/base` ships with SRD.

    Raises:
        ConfigError: there is none.
        StorageError: it cannot be read.
    """
    if path.startswith(_PACKAGE):
        return shipped(path.removeprefix(_PACKAGE))
    storage = open_storage(path)
    if storage.stat(SETTINGS) is None:
        raise no_captioner(path)
    place = folder / "given"
    for info in storage.list():
        target = place / info.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(storage.fetch(info.key, folder / "fetched").resolve())
    return place
