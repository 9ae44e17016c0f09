"""A sink belongs to one run: the first to write RUN.json there. The same run may come again, to go on; any other is told.

Written with the storage's own create-if-absent, so of many that start together exactly one wins, and results of two never mix. It is the
run's alone: no input lies in it, since an output of the same name would take its place, nor anything else that no run wrote there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from srd_core import __version__
from srd_core.config import load_config, profiles
from srd_core.data.manifest import StageManifest, canonical_json
from srd_core.errors import ClaimedError, ConfigError, ConflictError
from srd_core.stages.bystanders import STAGES, is_harmless, is_on_the_way
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Run, within

NAME = "RUN.json"
WITHOUT_EFFECT = {"work", "workers"}
"""Configuration keys that change where and how fast, not what."""

_SHOWN = 60
"""Characters of a value in a message."""

_NAMED = 4
"""Differences that a message tells."""
_SETTING = "configuration."
_NOTHING = object()


def claim(run: Run, inputs: Mapping[str, StageManifest]) -> None:
    """Make the sink this run's own.

    Args:
        run: the run.
        inputs: its inventories, by role.

    Raises:
        ConfigError: an input lies in it, or results of stages that no run has claimed, or `work` elsewhere than in `stages/`.
        ClaimedError: it is another run's, and the message says in what they differ; or it is no run's and not empty, where files that are
            harmless do not count.
    """
    sink = run.sink_storage
    for role, manifest in inputs.items():
        for shard in shards_of(manifest):
            if within(shard.uri, sink.uri):
                raise ConfigError(
                    f"the sink {sink.uri} holds {shard.uri}/{shard.key}, a shard of {role}, which an output could replace",
                    hint="Choose a sink beside the inputs, or below them, such as SOURCE/cleansed",
                )
    work = run.work_storage.uri
    if within(work, sink.uri) and not within(work, f"{sink.uri}/{STAGES}"):
        hint = f"Leave work out, which keeps it in {sink.uri}/{STAGES}, or name a place outside of the sink"
        raise ConfigError(f"work is {work}, which lies in the sink among what is handed back", hint=hint)
    if not run.config.work and run.work_storage.list() and sink.stat(NAME) is None:
        problem = f"{sink.uri} holds stages/ but no {NAME}: what lies there is no run's, and would be taken for this one's"
        raise ConfigError(problem, hint="Choose another sink, or remove that folder if you know where it comes from")
    stranger = next(_strangers(run), "") if sink.stat(NAME) is None else ""
    if stranger and sink.stat(NAME) is None:  # the same run, started twice, may have come first and written there
        hint = "Choose another sink, such as a new folder in it, or remove what lies there"
        raise ClaimedError(f"{sink.uri} holds {stranger[:_SHOWN]!a}, and no {NAME}: a run has its sink to itself", hint=hint)
    mine = _content(run, inputs)
    try:
        sink.put_bytes(NAME, canonical_json(mine))
    except ConflictError as error:
        hint = f"Choose another sink; with `--set work={run.work_storage.uri}` it uses what has been computed here"
        different = _difference(sink.read_bytes(NAME), mine)
        raise ClaimedError(f"{sink.uri} belongs to a run that is different in {different}", hint=hint) from error


def _strangers(run: Run) -> Iterator[str]:
    """Names of what lies in the sink, beside what is computed on the way and files that are harmless."""
    home = run.sink_storage.uri
    for name in run.sink_storage.names():
        on_the_way = is_on_the_way(name) and within(f"{home}/{name}", run.work_storage.uri)
        if not on_the_way and not is_harmless(name):
            yield name


def claimed(run: Run, inputs: Mapping[str, StageManifest]) -> bytes:
    """RUN.json as `claim` writes it."""
    return canonical_json(_content(run, inputs))


def _content(run: Run, inputs: Mapping[str, StageManifest]) -> dict[str, Any]:
    return {
        "srd": __version__,
        "inputs": {role: manifest.key for role, manifest in sorted(inputs.items())},
        "configuration": run.config.model_dump(mode="json", exclude=WITHOUT_EFFECT),
    }


def _difference(theirs: bytes, mine: Mapping[str, Any]) -> str:
    """In what two runs differ: inputs first, then the version and the profile, then what neither's profile explains."""
    try:
        old, new = _flat(json.loads(theirs)), _flat(mine)
    except (ValueError, AttributeError):
        return f"that its {NAME} cannot be read"
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
        settings = load_config(name).model_dump(mode="json", exclude=WITHOUT_EFFECT)
        sets = _flat({"configuration": settings})
        differing = sum(flat.get(key, value) != value for key, value in sets.items())
        if fewest < 0 or differing < fewest:
            best, fewest = (name or "none", sets), differing
    return best


def _told(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> str:
    if key.startswith("inputs.") and key in old and key in new:
        return f"{key} (other shards)"
    return f"{key.removeprefix(_SETTING)} ({_short(old, key)} there, {_short(new, key)} here)"


def _short(flat: Mapping[str, Any], key: str) -> str:
    text = repr(flat[key]) if key in flat else "nothing"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
