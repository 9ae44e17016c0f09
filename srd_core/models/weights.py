"""Published weights that lie on this machine: safetensors only. Which file of the hub's a library reads is for the library to choose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from srd_core.errors import ConfigError

_SAFE = ".safetensors"
_WHOLE, _INDEX = f"model{_SAFE}", f"model{_SAFE}.index.json"
_TOWERS = (f"open_clip_model{_SAFE}", f"open_clip_pytorch_model{_SAFE}")
"""What open_clip prefers to all others of a folder."""
_PICKLED = frozenset({".bin", ".pth", ".pt"})
_LOCAL = "local-dir:"
_CONVERT = (
    "Write them as safetensors, once: "
    "safetensors.torch.save_file({n: w.clone() for n, w in torch.load(FILE, map_location='cpu', weights_only=True).items()}, NAME)"
)


def check_language(path: str) -> None:
    """Make sure that transformers, asked for safetensors, would read no pickle of this machine.

    Raises:
        ConfigError: the folder has pickles only, or names others than safetensors as its weights.
    """
    if not os.path.isdir(path):
        return
    folder = Path(path)
    if _has_pickles(folder, (_WHOLE, _INDEX)):
        raise _refused("language.path", path, f"has no {_WHOLE}", f"{_CONVERT}, where NAME is {_WHOLE}")
    for name in _named(folder):
        if not str(name).endswith(_SAFE):
            raise _refused("language.path", path, f"names {name!r} as weights", _CONVERT)


def check_vision(name: str, pretrained: str | None) -> None:
    """Make sure that open_clip would read no pickle of this machine.

    Raises:
        ConfigError: it would.
    """
    if name.startswith(_LOCAL) and _has_pickles(Path(name.removeprefix(_LOCAL)), _TOWERS):
        raise _refused("vision.name", name, f"has no {_TOWERS[0]}", f"{_CONVERT}, where NAME is {_TOWERS[0]}")
    if pretrained is not None and not pretrained.endswith(_SAFE) and os.path.isfile(pretrained):
        raise _refused("vision.pretrained", pretrained, f"does not end in {_SAFE}", _CONVERT)


def _has_pickles(folder: Path, instead: Iterable[str]) -> bool:
    """Whether there are some that a library would read, since none of the files is there that it prefers."""
    return not any((folder / name).is_file() for name in instead) and any(file.suffix in _PICKLED for file in folder.glob("*"))


def _named(folder: Path) -> Iterator[object]:
    """The files of weights that the folder's own lists name."""
    shards = _read(folder / _INDEX).get("weight_map")
    if isinstance(shards, dict) and not (folder / _WHOLE).is_file():
        yield from shards.values()
    yield from filter(None, [_read(folder / "config.json").get("transformers_weights")])


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none, which is for the library to tell."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(key: str, place: str, problem: str, hint: str) -> ConfigError:
    return ConfigError(f"{key} = {place} {problem}, and SRD reads no other weights that lie on this machine", hint=hint)
