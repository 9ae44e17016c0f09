"""The manifest of a run, written last: an in-toto Statement that says what was made, from what, by what.

Subjects are the outputs at the sink and RUN.json, each by its SHA-256; the predicate holds inputs, configuration, policy, code and library
versions: those of the run that sealed it, and by stage where an earlier run made the stage with others. Its presence says that everything
it names is there. It is not signed: put it into a DSSE envelope with the signer that you trust.
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from srd_core.data.manifest import FileRef, Sha256, StageManifest, canonical_json, digest
from srd_core.errors import SourceError, StorageError, VerificationError
from srd_core.stages.claim import NAME as RUN
from srd_core.stages.claim import WITHOUT_EFFECT, claimed
from srd_core.stages.files import shards_of
from srd_core.stages.libraries import libraries
from srd_core.stages.origin import code
from srd_core.stages.stage import Run
from srd_core.storage import Storage

NAME = "MANIFEST.json"
Kind = Literal["urn:srd:cleanse:v1", "urn:srd:sanitize:v1"]
CLEANSED: Kind = "urn:srd:cleanse:v1"
"""Predicate type of a whole run."""
SANITIZED: Kind = "urn:srd:sanitize:v1"
"""Predicate type of the data path alone: no policy, and of the configuration only what it reads."""

_SANITIZING: dict[str, Any] = {"limits": True, "cleanse": {"quality", "verbatim"}}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Digests(_Part):
    """Digests by algorithm; there is one."""

    sha256: Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class Annotations(_Part):
    """What in-toto has no field for: bytes of the file."""

    size: int = Field(ge=0)


class Subject(_Part):
    """One output: its name below the sink, and what it holds."""

    name: str
    digest: Digests
    annotations: Annotations


class Statement(_Part):
    """MANIFEST.json."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field("https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Subject, ...]
    predicate_type: Kind = Field(alias="predicateType")
    predicate: dict[str, Any]

    @classmethod
    def read(cls, sink: Storage) -> Statement:
        """The manifest at a sink.

        Raises:
            SourceError: there is none, or it cannot be read.
        """
        if sink.stat(NAME) is None:
            hint = "This is not a sink, or its run has not finished: start the `srd cleanse` or `srd sanitize` that writes it again"
            raise SourceError(f"{sink.uri} has no {NAME}", hint=hint)
        try:
            return cls.model_validate_json(sink.read_bytes(NAME))
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise SourceError(f"{NAME} cannot be read: {reason}", hint="It has been altered: treat the whole sink as such") from error


def seal(run: Run, manifests: Mapping[str, StageManifest], *, kind: Kind = CLEANSED) -> StageManifest:
    """Write MANIFEST.json over everything that the given stages published at the sink.

    Raises:
        VerificationError: an arm has not decided on every shard of the source, or on fewer or more pairs than another.
    """
    _check_accounts(manifests)
    sink = run.sink_storage
    root = f"{sink.uri}/"
    outputs = {name: ref for manifest in manifests.values() for name, ref in manifest.outputs.items() if ref.uri == root + name}
    inputs = {name: item for name, item in manifests.items() if "inventory" in item.facts}
    claim = claimed(run, inputs)
    subjects = (
        Subject(name=RUN, digest=Digests(sha256=hashlib.sha256(claim).hexdigest()), annotations=Annotations(size=len(claim))),
        *(_subject(name, ref) for name, ref in sorted(outputs.items())),
    )
    predicate = {
        **code(),
        "made_with_others": {name: item.libraries for name, item in sorted(manifests.items()) if item.libraries not in ({}, libraries())},
        "inputs": {name: item.facts["inventory"] for name, item in sorted(inputs.items())},
        "stages": {name: item.key for name, item in sorted(manifests.items())},
        "configuration": run.config.model_dump(mode="json", include=_SANITIZING if kind == SANITIZED else None, exclude=WITHOUT_EFFECT),
    }
    if kind == CLEANSED:
        predicate["policy"] = {name: ref.sha256 for name, ref in manifests["policy"].outputs.items()} if "policy" in manifests else {}
    published = {name.partition("/")[0] for name in outputs if "/" in name}
    for storage, folders in ((sink, published), (run.work_storage, {item.stage for item in manifests.values()})):
        with suppress(StorageError):  # without the right to tidy up, the run is as good
            storage.tidy(sorted(folders))
    content = canonical_json(Statement(subject=subjects, predicate_type=kind, predicate=predicate).model_dump(mode="json", by_alias=True))
    sink.put_bytes(NAME, content, overwrite=True)
    return StageManifest(stage="seal", key=digest(predicate), outputs={}, facts={"outputs": len(outputs)})


def _check_accounts(manifests: Mapping[str, StageManifest]) -> None:
    """Every arm has one file of decisions for every shard of the source, and all of them the same number of pairs."""
    shards: dict[str, list[str]] = {}
    pairs: Counter[str] = Counter()
    for item in manifests.values():
        decided = [path for path in map(PurePosixPath, item.outputs) if path.parent.name == "decisions"]
        for path in decided:
            shards.setdefault(str(path.parent), []).append(path.stem)
        if decided:
            pairs[str(decided[0].parent)] += cast(int, item.facts["pairs"])
    expected = sorted(shard.name for shard in shards_of(manifests["source"]))
    wrong = [place for place, names in shards.items() if sorted(names) != expected]
    if wrong or len(set(pairs.values())) > 1:
        told = ", ".join(f"{place}: {count} pairs of {len(shards[place])} shards" for place, count in sorted(pairs.items()))
        raise VerificationError(
            f"not every pair of the {len(expected)} shards was decided on exactly once ({told})",
            hint="Nothing is sealed. Remove the sink and run again; if it comes back, this is a fault of SRD",
        )


def _subject(name: str, ref: FileRef) -> Subject:
    return Subject(name=name, digest=Digests(sha256=ref.sha256), annotations=Annotations(size=ref.size))
