"""The manifest of a run, written last: inputs, outputs, configuration and versions, each by digest.

Its presence says that everything it names is there. `check` compares a sink with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import srd_core
from srd_core import __version__
from srd_core.data.manifest import StageManifest, canonical_json, digest
from srd_core.errors import SourceError
from srd_core.stages.code import tree_digest
from srd_core.stages.stage import Run
from srd_core.storage import open_storage

NAME = "MANIFEST.json"
_LIBRARIES = ("numpy", "open_clip_torch", "open_flamingo", "pillow", "prefect", "pyarrow", "sentence-transformers", "torch", "transformers")


def seal(run: Run, manifests: Mapping[str, StageManifest]) -> StageManifest:
    """Write MANIFEST.json over everything that the given stages published at the sink."""
    sink = run.sink_storage
    root = f"{sink.uri}/"
    outputs = {name: ref for manifest in manifests.values() for name, ref in manifest.outputs.items() if ref.uri == root + name}
    content = {
        "srd": __version__,
        "code": tree_digest(Path(srd_core.__file__).parent),
        "inputs": {name: item.facts["inventory"] for name, item in sorted(manifests.items()) if "inventory" in item.facts},
        "outputs": {name: {"size": ref.size, "sha256": ref.sha256} for name, ref in sorted(outputs.items())},
        "stages": {name: item.key for name, item in sorted(manifests.items())},
        "configuration": run.config.model_dump(mode="json"),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }
    sink.put_bytes(NAME, canonical_json(content), overwrite=True)
    return StageManifest(stage="seal", key=digest(content), outputs={}, facts={"outputs": len(outputs)})


def check(sink: str) -> list[str]:
    """What differs between a sink and its manifest, one line each; empty when nothing does.

    Raises:
        SourceError: there is no manifest.
    """
    storage = open_storage(sink)
    if storage.stat(NAME) is None:
        raise SourceError(f"{sink} has no {NAME}", hint="The run has not finished, or this is not a sink: run `srd cleanse` again")
    problems = []
    for name, size, sha256 in _expected(storage.read_bytes(NAME)):
        info = storage.stat(name)
        if info is None:
            problems.append(f"{name} is missing")
        elif info.size != size:
            problems.append(f"{name} has {info.size} bytes, not {size}")
        elif storage.digest(name) != sha256:
            problems.append(f"{name} has other content than when it was written")
    return problems


def _expected(content: bytes) -> list[tuple[str, int, str]]:
    try:
        outputs = json.loads(content)["outputs"]
        return [(str(name), int(item["size"]), str(item["sha256"])) for name, item in outputs.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{NAME} cannot be read: {error}", hint="It has been altered: treat the whole sink as such") from error


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"
