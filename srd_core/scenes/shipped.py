"""The captioners of the built-in world that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def shipped(name: str) -> Path:
    """The folder of `scenes/base` or `scenes/reference`."""
    return Path(str(resources.files("srd_core"))) / "scenes" / "weights" / name.removeprefix("scenes/")
