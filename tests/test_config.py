"""The configuration: what wins, what is refused and by which words, and what a stage's slice is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from srd_core.config import Config, load_config, profiles
from srd_core.data.manifest import digest
from srd_core.errors import ConfigError


@pytest.mark.parametrize("name", profiles())
def test_every_profile_is_valid_and_changes_something(name: str) -> None:
    assert load_config(name) != Config()


def test_a_file_and_then_overrides_win_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("seed: 7\nretrain: {schedule: {epochs: 3}}\n")
    made = load_config(file=path, overrides=["retrain.schedule.epochs=0.5", "retrain.arms=[none, srd]", "evaluation.tests.coco=s3://b/t"])
    assert (made.seed, made.retrain.schedule.epochs, made.retrain.arms) == (7, 0.5, ("none", "srd"))
    assert made.evaluation.tests == {"coco": "s3://b/t"}
    assert made.retrain.schedule.batch_size == Config().retrain.schedule.batch_size


@pytest.mark.parametrize("profile", profiles())
def test_an_override_changes_the_one_place_that_it_names(profile: str) -> None:
    """Profiles share sections by YAML aliases; setting a key of one once set it in all of them."""
    key = "base.schedule.epochs"
    before, after = _flat(load_config(profile)), _flat(load_config(profile, overrides=[f"{key}=77"]))
    assert {name for name in before if before[name] != after[name]} == {key}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "not key=value"),
        ("=3", "not key=value"),
        ("sead=3", "unknown key 'sead'"),
        ("policy.dqn.stepz=3", r"unknown key 'policy\.dqn\.stepz'"),
        ("holdout=2", "holdout = 2"),
        ("cleanse.mode=magic", r"cleanse\.mode = 'magic'"),
        ("evidence.channels=[]", r"evidence\.channels"),
        ("seed.deeper=1", "seed"),
        ("retrain.arms=[none", "not YAML"),
        ("work=!!python/name:os.system", "not YAML"),
    ],
)
def test_what_cannot_be_set_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load_config(overrides=[override])
    assert error.value.hint


def test_nothing_goes_below_a_plain_value() -> None:
    with pytest.raises(ConfigError, match="below a plain value"):
        load_config(overrides=["seed=1", "seed.deeper=1"])


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'scene'") as error:
        load_config("scene")
    assert all(name in error.value.hint for name in profiles())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [1\nb: 2\n", r"own\.yaml is not YAML: .*, line \d"),
        (b"- 1\n- 2\n", "not a mapping"),
        (b"", "not a mapping"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"seed: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_config(file=path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load_config(file=tmp_path / "none.yaml")


def test_a_slice_holds_what_was_asked_and_nothing_else() -> None:
    asked = ("canvas", "retrain.schedule", "evaluation.attack")
    plain = load_config("test")
    assert set(plain.slice(asked)) == set(asked)
    same = load_config("test", overrides=["retrain.arms=[srd]", "workers=9", "evaluation.target=pizza"])
    other = load_config("test", overrides=["retrain.schedule.epochs=9"])
    assert digest(plain.slice(asked)) == digest(same.slice(asked)) != digest(other.slice(asked))


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Config().seed = 3  # type: ignore[misc]


def test_what_is_printed_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "printed.yaml"
    path.write_text(yaml.safe_dump(load_config("photos").model_dump(mode="json")))
    assert load_config(file=path) == load_config("photos")


def _flat(config: Config) -> dict[str, Any]:
    flat: dict[str, Any] = {}

    def walk(prefix: str, node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                walk(f"{prefix}.{key}".strip("."), value)
        else:
            flat[prefix] = node

    walk("", config.model_dump(mode="json"))
    return flat
