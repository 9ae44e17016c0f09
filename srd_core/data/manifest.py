"""What a stage read and wrote, by digest: the small object that tasks hand on, cache and verify.

One canonical JSON text for one value, so that digests of configurations and manifests can be compared. Writing manifests and checking
outputs against them is done elsewhere.
"""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Sha256 = str
"""64 lower-case hexadecimal digits."""


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces. Pydantic models are dumped first.

    Raises:
        ValueError: NaN, infinity or half a surrogate pair. TypeError: something JSON has no word for.
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: object) -> Sha256:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class FileRef(BaseModel):
    """One stored object: where it is, its size in bytes and the SHA-256 of its content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    size: int = Field(ge=0)
    sha256: Sha256 = Field(pattern=r"^[0-9a-f]{64}$")


class StageManifest(BaseModel):
    """The result of one stage: `key` is its cache key, `inputs` name → digest, `outputs` name → file, `facts` figures and notes as JSON.

    `libraries` are the versions of those that made it, by name; a later run that finds it may have others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str
    inputs: dict[str, str] = {}
    outputs: dict[str, FileRef] = {}
    facts: dict[str, JsonValue] = {}
    libraries: dict[str, str] = {}
