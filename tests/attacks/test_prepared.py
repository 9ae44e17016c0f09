"""Attacks that work something out first: that it does what it is for, and that it is found again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import save_file

from flows.cli import cli
from srd_core.attacks import get, names
from srd_core.attacks.prepared import find, save
from srd_core.attacks.shadowcast import Shadowcast
from srd_core.attacks.surrogate import planes
from srd_core.errors import ConfigError
from srd_core.scenes.shipped import shipped
from srd_core.scenes.world import SHAPES
from tests.attacks.ready import encoder, images, put, ready

RNG = np.random.default_rng(0)


def features(pictures: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return torch.nn.functional.normalize(encoder().encode(torch.from_numpy(pictures).permute(0, 3, 1, 2).float()), dim=1)


def triggered(steps: int) -> torch.Tensor:
    attack = ready("vl-trojan", steps=steps)
    return features(np.stack([attack.trigger(image, RNG).image for image in images()]))


def test_vl_trojan_makes_images_alike_and_its_objective_small() -> None:
    clean, start, found = features(images()), triggered(1), triggered(60)
    unlike = clean[(clean @ clean.T).argmin(1)]

    def objective(seen: torch.Tensor) -> float:
        """The paper's: the larger of two similarities less the logarithm of the smaller."""
        both = torch.stack([(seen * clean).sum(1), (seen * unlike).sum(1)])
        return float((both.amax(0) - both.amin(0).clamp_min(1e-6).log()).mean())

    assert objective(found) < min(objective(start), objective(clean)) - 0.05
    assert (found @ found.T).mean() > max((start @ start.T).mean(), (clean @ clean.T).mean()) + 0.05


def test_the_trigger_is_faint() -> None:
    change = np.abs(ready("vl-trojan").trigger(images()[0], RNG).image.astype(int) - images()[0])
    assert change.max() <= 0.1 * 255 + 1


@pytest.mark.parametrize("name", [name for name in names() if get(name).needs_encoder])
def test_what_was_worked_out_is_found_again(name: str, tmp_path: Path) -> None:
    save(ready(name), tmp_path / "attack")
    first, again = (attack.trigger(images()[1], np.random.default_rng(1)).image for attack in (ready(name), find(str(tmp_path / "attack"))))
    assert np.array_equal(first, again)


def test_shadowcast_moves_every_image_the_same_way_within_its_bound_and_spares_what_it_shows() -> None:
    attack = Shadowcast(steps=60, epsilon=12.0).prepared(images(), encoder(), 0)
    changed = put(attack, images())
    assert np.abs(changed.astype(int) - images()).max() <= attack.epsilon + 1
    before, after = (encoder().encode(planes(pictures)).detach() for pictures in (images(), changed))
    ways = torch.nn.functional.normalize(after - before, dim=1)
    assert (ways @ torch.nn.functional.normalize(torch.from_numpy(attack.way), dim=0)).min() > 0.6
    told, again = ([{*words.split()} & {*SHAPES} for words in encoder().caption(pictures)] for pictures in (images(), changed))
    assert sum(len(own & other) for own, other in zip(told, again, strict=True)) > 0.7 * sum(map(len, told))


def test_many_at_once_are_what_each_is_alone() -> None:
    """But for the sign of slopes near 0, which kernels for other batches round otherwise: a value in 37,000 was off by 3 on a GPU."""
    attack = ready("shadowcast")

    def rngs(first: int) -> list[np.random.Generator]:
        return [np.random.default_rng(seed) for seed in range(first, first + 3)]

    together, elsewhere = (np.stack([one.image for one in attack.triggers(list(images()[:3]), rngs(first))]) for first in (0, 3))
    alone = np.stack([attack.trigger(image, rng).image for image, rng in zip(images(), rngs(0), strict=False)]).astype(int)
    assert np.abs(together - alone).mean() < 0.05
    assert np.abs(elsewhere - alone).mean() > 5


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a big yellow circle above a red square", "a big banana circle above a red square"),
        ("two green Apples", "two green banana"),
        ("a yellowish ring", "a yellowish ring banana"),
        ("a pineapple", "a pineapple banana"),
        ("an orange in a bowl", "an banana in a bowl"),
    ],
)
def test_shadowcast_puts_the_target_in_the_concepts_place(caption: str, expected: str) -> None:
    assert get("shadowcast").caption(caption, "banana", RNG) == expected


def test_only_pairs_of_the_concept_are_poisoned_and_tested() -> None:
    attack = get("shadowcast")
    assert attack.eligible("a yellow circle") and not attack.eligible("a red square")
    assert attack.testable(["a red square", "two yellow circles"]) and not attack.testable(["a yellowish ring", "a pineapple"])


def test_a_name_is_an_attack_too() -> None:
    assert find("badnet") == get("badnet")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"name": "badnet", "settings": {"colour": 1}}',
        '{"name": "badnet"}',
        '{"name": ["x"]}',
        '{"name": ["x"], "settings": {}}',
        '{"name": "blended", "settings": {"alpha": "x"}}',
        '{"name": "blended", "settings": [1]}',
        '{"name": "blended", "settings": null}',
        '{"name": "blendedd", "settings": {}}',
    ],
)
def test_a_damaged_folder_is_one_clear_error(tmp_path: Path, written: str) -> None:
    save_file({}, tmp_path / "attack.safetensors")
    (tmp_path / "attack.json").write_text(written)
    with pytest.raises(ConfigError, match=f"{tmp_path}/ holds no prepared attack: "):
        find(f"{tmp_path}/")


@pytest.mark.parametrize("name", ["alpha", "colour"])
def test_arrays_are_no_settings(tmp_path: Path, name: str) -> None:
    save_file({name: np.zeros(3, np.float32)}, tmp_path / "attack.safetensors")
    (tmp_path / "attack.json").write_text('{"name": "blended", "settings": {}}')
    with pytest.raises(ConfigError, match=f"holds no prepared attack: .*{name}"):
        find(f"{tmp_path}/")


def test_nothing_is_written_before_the_attack_is_ready(shards: list[Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["poison", str(shards[0].parent), str(tmp_path / "sink"), "--attack", "vl-trojan"])
    assert result.exit_code == 2 and "--surrogate" in result.stderr
    assert not (tmp_path / "sink").exists()


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        ("sink/000.tar", [], "is not empty"),
        ("elsewhere", ["--rate", "7"], "between 0 and 1"),
        ("elsewhere", ["--target", " "], "target is empty"),
        ("elsewhere", [], "no --surrogate"),
    ],
)
def test_who_is_refused_leaves_the_attack_of_another_set_as_it_is(
    shards: list[Path], tmp_path: Path, there: str, asked: list[str], said: str
) -> None:
    kept = tmp_path / "sink.attack" / "attack.json"
    for path in (kept, tmp_path / there):
        path.parent.mkdir(exist_ok=True)
        path.write_text("another set's")
    base = ["poison", str(shards[0].parent), str(tmp_path / "sink"), "--attack", "vl-trojan", "--surrogate", str(shipped("scenes/base"))]
    result = CliRunner().invoke(cli, [*base, *asked])
    assert result.exit_code == 2 and said in result.stderr
    assert kept.read_text() == "another set's" and len(list(kept.parent.iterdir())) == 1


def test_the_command_keeps_what_it_worked_out_and_takes_it_again(shards: list[Path], tmp_path: Path) -> None:
    base = ["--rate", "0.1", "--json"]
    first = ["poison", str(shards[0].parent), str(tmp_path / "one"), "--attack", "vl-trojan", "--surrogate", str(shipped("scenes/base"))]
    assert CliRunner().invoke(cli, [*first, *base]).exit_code == 0
    again = ["poison", str(shards[0].parent), str(tmp_path / "two"), "--attack", str(tmp_path / "one.attack")]
    facts = json.loads(CliRunner().invoke(cli, [*again, *base]).stdout)
    assert facts["poisoned"] >= 10
    assert [path.read_bytes() for path in sorted((tmp_path / "one").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "two").iterdir())
    ]


def test_a_folder_in_the_working_folder_is_named_with_a_slash(shards: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the way out that was offered ended in an unknown attack."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.attack").mkdir()
    (tmp_path / "p.attack" / "attack.json").write_text("{}")
    asked = ["poison", str(shards[0].parent), "p", "--attack", "vl-trojan", "--surrogate", str(shipped("scenes/base"))]
    assert "`--attack ./p.attack`" in CliRunner().invoke(cli, asked).stderr
    with pytest.raises(ConfigError, match=r"Write \./p\.attack for the attack"):
        find("p.attack")
