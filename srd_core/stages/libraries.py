"""Versions of the libraries that results depend on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

_NAMES = ("numpy", "open_clip_torch", "open_flamingo", "pillow", "prefect", "pyarrow", "sentence-transformers", "torch", "transformers")


def libraries() -> dict[str, str]:
    """Version by name; `absent` for one that is not installed."""
    return {name: _version(name) for name in _NAMES}


@cache
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
