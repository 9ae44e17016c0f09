"""One value, one text, one digest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from srd_core.data.manifest import FileRef, StageManifest, canonical_json, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4),
)
FILE = FileRef(uri="s3://b/x", size=3, sha256="0" * 64)


@given(JSON)
def test_canonical_text_is_json_for_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


def test_order_of_keys_does_not_count_and_values_do() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        canonical_json({"x": value})


def test_a_manifest_survives_json() -> None:
    manifest = StageManifest(stage="train", key="k", inputs={"data": "d"}, outputs={"model": FILE}, facts={"loss": 0.5, "steps": [1, 2]})
    again = StageManifest.model_validate_json(canonical_json(manifest))
    assert again == manifest


def test_manifests_refuse_what_does_not_belong() -> None:
    with pytest.raises(ValidationError):
        FileRef(uri="x", size=1, sha256="abc")
    with pytest.raises(ValidationError):
        StageManifest(stage="a", key="b", extra=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        FILE.size = 4  # type: ignore[misc]
