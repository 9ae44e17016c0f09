"""In what two runs differ, in words for a message: other inputs first, then version and profile, then what no profile explains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srd_core.config import load_config, profiles
from srd_core.report.text import NAME, visible

_NAMED = 4
"""Differences that are told; of all others, their number."""
_SHOWN = 60
"""Characters of a value."""
_SETTING = "configuration."
_NOTHING = object()


def difference(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    """What is different in two runs, each as its RUN.json has it: version, inputs by role, configuration as a tree."""
    old, new = _flat(theirs), _flat(mine)
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key, _NOTHING) != new.get(key, _NOTHING)]
    first = [_told(old, new, key) for key in keys if not key.startswith(_SETTING)]
    (there, said_there), (here, said_here) = _profile(old), _profile(new)
    if there != here:
        first.append(f"the profile ({there} there, {here} here)")
        keys = [key for key in keys if old.get(key) != said_there.get(key) or new.get(key) != said_here.get(key)]
    told = first + [_told(old, new, key) for key in keys if key.startswith(_SETTING)]
    return ", ".join(told[:_NAMED]) + (f" and {len(told) - _NAMED} more" if len(told) > _NAMED else "")


def _profile(flat: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The profile that a run is nearest to, which RUN.json does not name, and all that it sets."""
    best, fewest = ("", dict[str, Any]()), -1
    for name in (None, *profiles()):
        settings = load_config(name).model_dump(mode="json")
        sets = _flat({"configuration": settings})
        differing = sum(flat.get(key, value) != value for key, value in sets.items())
        if fewest < 0 or differing < fewest:
            best, fewest = (name or "none", sets), differing
    return best


def _told(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> str:
    if key.startswith("inputs.") and key in old and key in new:
        return f"{visible(key, NAME)} (other shards)"
    return f"{visible(key.removeprefix(_SETTING), NAME)} ({_short(old, key)} there, {_short(new, key)} here)"


def _short(flat: Mapping[str, Any], key: str) -> str:
    text = visible(repr(flat[key]), _SHOWN + 1) if key in flat else "nothing"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
