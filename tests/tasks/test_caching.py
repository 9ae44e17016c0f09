"""Stored results are manifests in JSON and nothing else."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from srd_core.data.manifest import FileRef, StageManifest
from tasks.caching import ManifestSerializer

MANIFEST = StageManifest(stage="base", key="k", outputs={"a": FileRef(uri="/x/a", size=1, sha256="0" * 64)}, facts={"n": [1, None, "é"]})


def test_a_manifest_survives() -> None:
    serializer = ManifestSerializer()
    assert serializer.loads(serializer.dumps(MANIFEST)) == MANIFEST


def test_the_bytes_are_plain_json() -> None:
    assert json.loads(ManifestSerializer().dumps(MANIFEST))["stage"] == "base"


@pytest.mark.parametrize(
    "blob",
    [
        b'{"__class__": "subprocess.Popen", "data": ["true"]}',
        b'{"__exc_type__": "builtins.SystemExit", "message": "1"}',
        b"\x80\x04N.",
        b"",
        b'{"stage": "base", "key": "k", "surprise": 1}',
    ],
)
def test_nothing_else_is_read_back(blob: bytes) -> None:
    with pytest.raises(ValidationError):
        ManifestSerializer().loads(blob)


def test_an_error_is_stored_as_text_and_stays_text() -> None:
    blob = ManifestSerializer().dumps(ValueError("went wrong"))
    assert json.loads(blob) == {"error": "went wrong"}
    with pytest.raises(ValidationError):
        ManifestSerializer().loads(blob)
