"""The working folder, which may be a stranger's: SRD is often started where a data set was just unpacked.

Prefect takes settings from three files there, and settings can name code: `logging.config_path` points to a file that may call anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from srd_core.errors import ConfigError


def _any(text: str) -> bool:
    return True


def _a_table(text: str) -> bool:
    return "prefect" in tomllib.loads(text).get("tool", {})


def _a_name(text: str) -> bool:
    return "prefect" in text.lower()


_HOLDS: Mapping[str, Callable[[str], bool]] = {"prefect.toml": _any, "pyproject.toml": _a_table, ".env": _a_name}


def no_settings_in(folder: Path) -> None:
    """Refuse to start Prefect where it would find settings. Call it before Prefect is imported.

    Raises:
        ConfigError: there are some, or what may be some cannot be read.
    """
    for name, holds in _HOLDS.items():
        if _found(folder / name, holds):
            problem = f"{name} in the working folder holds settings for Prefect, which can run code, and may have come with the data"
            hint = "Start srd in another folder. If they are yours, set them in the environment or with `prefect config set`"
            raise ConfigError(problem, hint=hint)


def _found(file: Path, holds: Callable[[str], bool]) -> bool:
    if not file.exists() or file.is_dir():  # `.env` may be a virtual environment
        return False
    try:
        return not file.is_file() or holds(file.read_text())
    except (OSError, ValueError):
        return True
