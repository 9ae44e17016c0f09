"""What inspection finds, and how it is told to people, programs and code hosts."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pydantic import BaseModel
from sarif_pydantic import Sarif

from flows.cli import cli
from srd_core.data import captions, codec, images, shards, tar
from srd_core.data.reasons import REASONS

Pack, Photo = Callable[..., bytes], Callable[..., bytes]


def inspect(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["inspect", *arguments])


@pytest.fixture
def doubtful(tmp_path: Path, pack: Pack, photo: Photo) -> Path:
    """Two good samples, one with a caption to clean and a field to leave out, and two that are refused; a shard that breaks off."""
    members = {"a.jpg": photo(1), "a.txt": "a dog", "b.jpg": photo(2), "b.txt": "a\u200b cat"}
    members |= {"b.meta.json": {"width": 8, "alt": "a cat"}, "c.jpg": b"GIF89a", "c.txt": "x"}
    members |= {"d.jpg": photo(3), "d.txt": "x", "d.pickle": b""}
    (tmp_path / "one.tar").write_bytes(pack(members))
    (tmp_path / "two.tar").write_bytes(pack({"e.jpg": photo(1), "e.txt": "a dog"})[:-1024])
    return tmp_path


def test_an_image_that_could_not_be_written_again_is_found(tmp_path: Path, pack: Pack) -> None:
    """Regression: sanitizing refused what inspection had called usable."""
    target = io.BytesIO()
    Image.new("L", (16_384, 1)).save(target, "PNG")
    (tmp_path / "one.tar").write_bytes(pack({"a.webp": target.getvalue(), "a.txt": "wide", "b.png": target.getvalue(), "b.txt": "wide"}))
    result = inspect(str(tmp_path))
    assert "one/a: unsupported-image" in result.stdout and "1 usable sample" in result.stdout
    assert "2 usable samples" in inspect(str(tmp_path), "--set", "cleanse.verbatim=true").stdout


def test_nothing_found_is_exit_code_0(shard_folder: Path) -> None:
    result = inspect(str(shard_folder))
    assert result.exit_code == 0
    assert "40 usable samples with 80 pairs in 2 shards" in result.stdout


def test_findings_are_told_with_their_place_reason_and_remedy(doubtful: Path) -> None:
    result = inspect(str(doubtful))
    assert result.exit_code == 1
    assert "error   one/d: executable-member" in result.stdout and "warning two: truncated-shard" in result.stdout
    assert REASONS["unsupported-image"].remedy in result.stdout
    assert "3 usable samples" in result.stdout


def test_fields_that_honest_sets_have_everywhere_hide_nothing(
    tmp_path: Path, pack: Pack, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: one note for each sample filled the list, and whatever else was wrong was not on it."""
    monkeypatch.setattr("flows.cli.inspect._KEPT", 2)
    members: dict[str, bytes] = {}
    for number in range(5):
        members |= {
            f"{number}.jpg": photo(number),
            f"{number}.json": b'{"caption": "a dog", "exif": {}, "alt": "x", "title": "y", "by": "z"}',
        }
    (tmp_path / "one.tar").write_bytes(pack(members))
    honest = inspect(str(tmp_path), "--json")
    assert honest.exit_code == 0
    assert [item["detail"] for item in json.loads(honest.stdout)["findings"]] == ["'exif', 'alt', 'title' and 1 other fields of 5 samples"]
    (tmp_path / "two.tar").write_bytes(pack({"d.jpg": photo(3), "d.txt": "x", "d.pickle": b""}))
    found = inspect(str(tmp_path), "--json")
    assert found.exit_code == 1 and json.loads(found.stdout)["findings"][0]["reason"] == "executable-member"


def test_a_place_that_cannot_be_read_is_exit_code_2(tmp_path: Path) -> None:
    assert inspect(str(tmp_path / "nowhere")).exit_code == 2


def test_programs_get_all_of_it(doubtful: Path) -> None:
    facts = json.loads(inspect(str(doubtful), "--json").stdout)
    found = {(item["shard"], item["key"], item["reason"], item["level"]) for item in facts["findings"]}
    assert found == {
        ("one", "b", "caption-cleaned", "note"),
        ("one", "", "field-left-out", "note"),
        ("one", "c", "unsupported-image", "error"),
        ("one", "d", "executable-member", "error"),
        ("two", "", "truncated-shard", "warning"),
    }
    assert (facts["samples"], facts["pairs"], facts["by_reason"]["caption-cleaned"]) == (3, 3, 1)


def test_captions_with_fillers_that_are_letters_are_told_of(tmp_path: Path, pack: Pack, photo: Photo) -> None:
    """Regression: such captions were not cleaned, so they were not reported either."""
    members = {
        "a.jpg": photo(1),
        "a.txt": "a ban\u3164ana",
        "b.jpg": photo(2),
        "b.txt": "a \u2764\ufe0f",
        "c.jpg": photo(3),
        "c.txt": "a dog",
    }
    (tmp_path / "one.tar").write_bytes(pack(members))
    facts = json.loads(inspect(str(tmp_path), "--json").stdout)
    assert [(item["key"], item["reason"]) for item in facts["findings"]] == [("a", "caption-cleaned"), ("b", "caption-cleaned")]
    assert "\\u3164" in facts["findings"][0]["detail"]


def test_code_hosts_get_sarif(doubtful: Path, tmp_path: Path) -> None:
    inspect(str(doubtful), "--sarif", str(tmp_path / "found.sarif"))
    log = json.loads((tmp_path / "found.sarif").read_text())
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0" and len(run["results"]) == 5 and "invocations" not in run
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"].endswith(".tar")
    assert {result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] for result in run["results"]} == {
        "one",
        "one/b",
        "one/c",
        "one/d",
        "two",
    }


def test_the_sarif_is_what_the_standard_knows(doubtful: Path, tmp_path: Path) -> None:
    inspect(str(doubtful), "--sarif", str(tmp_path / "found.sarif"))
    text = (tmp_path / "found.sarif").read_text()
    log = Sarif.model_validate_json(text)
    assert [where for where, model in models_of(log) if model.model_extra not in ({}, None)] == []
    assert log.model_dump(mode="json", by_alias=True, exclude_unset=True) == json.loads(text)


def test_sarif_that_lacks_findings_says_how_many_there_were(doubtful: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: it stopped at a number, and nothing said so."""
    monkeypatch.setattr("flows.cli.inspect._KEPT", 1)
    monkeypatch.setattr("flows.cli.inspect._SHOWN", 1)
    assert (
        "… and 4 more (--json and --sarif list up to 1 of a level)"
        in inspect(str(doubtful), "--sarif", str(tmp_path / "found.sarif")).stdout
    )
    (run,) = json.loads((tmp_path / "found.sarif").read_text())["runs"]
    ((said,),) = (told["toolExecutionNotifications"] for told in run["invocations"])  # section 3.20.21; sarif-pydantic lacks it
    assert len(run["results"]) == 3 and said["message"]["text"].startswith("3 of 5 findings are listed")


def models_of(node: Any, where: str = "log") -> Iterator[tuple[str, BaseModel]]:
    """Every object of a log with its place; what the standard does not know is in its `model_extra`."""
    if isinstance(node, BaseModel):
        yield where, node
        for name in node.model_fields_set & type(node).model_fields.keys():
            yield from models_of(getattr(node, name), f"{where}.{name}")
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield from models_of(item, f"{where}[{number}]")


def test_nothing_is_written(doubtful: Path) -> None:
    before = {path: path.read_bytes() for path in doubtful.rglob("*")}
    inspect(str(doubtful))
    assert {path: path.read_bytes() for path in doubtful.rglob("*")} == before


def test_every_reason_that_the_code_can_give_is_explained_and_no_other() -> None:
    code = "".join(Path(module.__file__ or "").read_text() for module in (captions, codec, images, shards))
    known = {f"{reason}-shard" for reason in tar.REASONS} | {"too-many-samples-shard", "caption-cleaned", "field-left-out"}
    given = {
        found for found in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', code) if found in REASONS or found.rsplit("-")[-1] in ("image", "member")
    }
    assert given | known == set(REASONS)
