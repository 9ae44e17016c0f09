"""In what two runs differ, in words for a message: other inputs first, then version and profile, then what no profile explains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from reprlib import Repr
from typing import Any

from srd_core.config import load_config, profiles
from srd_core.report.text import NAME, visible

_NAMED = 4
"""Differences that are told; of all others, their number."""
_SHOWN = 60
"""Characters of a value."""
_SETTING = "configuration"
_DEEPEST = 8
"""Levels of a tree that are looked into. A stranger's may be deeper, or so wide that one long key would be repeated without end."""
_WORDS = Repr()
_WORDS.maxlevel = _DEEPEST
_WORDS.maxlist = _WORDS.maxdict = _WORDS.maxstring = _WORDS.maxlong = 2**10
_NOTHING = object()

_Path = tuple[str, ...]
_Flat = Mapping[_Path, Any]


def difference(theirs: Mapping[str, Any], mine: Mapping[str, Any]) -> str:
    """What is different in two runs, each as its RUN.json has it: version, inputs by role, configuration as a tree."""
    old, new = _flat(theirs), _flat(mine)
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key, _NOTHING) != new.get(key, _NOTHING)]
    first: list[str | _Path] = [key for key in keys if key[0] != _SETTING]
    (there, said_there), (here, said_here) = _profile(old), _profile(new)
    if there != here:
        first.append(f"the profile ({there} there, {here} here)")
        keys = [key for key in keys if old.get(key) != said_there.get(key) or new.get(key) != said_here.get(key)]
    found = first + [key for key in keys if key[0] == _SETTING]
    told = ", ".join(item if isinstance(item, str) else _told(old, new, item) for item in islice(found, _NAMED))
    return told + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")


def _profile(flat: _Flat) -> tuple[str, _Flat]:
    """The profile that a run is nearest to, which RUN.json does not name, and all that it sets."""
    best: tuple[str, _Flat] = ("", {})
    fewest = -1
    for name in (None, *profiles()):
        settings = load_config(name).model_dump(mode="json")
        sets = _flat({_SETTING: settings})
        differing = sum(flat.get(key, value) != value for key, value in sets.items())
        if fewest < 0 or differing < fewest:
            best, fewest = (name or "none", sets), differing
    return best


def _told(old: _Flat, new: _Flat, key: _Path) -> str:
    if key[0] == "inputs" and key in old and key in new:
        return f"{_named(key)} (other shards)"
    return f"{_named(key[1:] if key[0] == _SETTING else key)} ({_short(old, key)} there, {_short(new, key)} here)"


def _named(key: Iterable[str]) -> str:
    return visible(".".join(key), NAME)


def _short(flat: _Flat, key: _Path) -> str:
    text = visible(_WORDS.repr(flat[key]), _SHOWN + 1) if key in flat else "nothing"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _flat(tree: Mapping[str, Any], path: _Path = ()) -> dict[_Path, Any]:
    flat: dict[_Path, Any] = {}
    for key, value in tree.items():
        here = (*path, key)
        flat |= _flat(value, here) if isinstance(value, dict) and len(here) < _DEEPEST else {here: value}
    return flat
