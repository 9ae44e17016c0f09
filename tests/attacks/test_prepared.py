"""Attacks that work something out first: that it does what it is for, and that it is found again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from flows.cli import cli
from srd_core.attacks import get
from srd_core.attacks.prepared import find, save
from srd_core.errors import ConfigError
from srd_core.scenes.shipped import shipped
from tests.attacks.ready import encoder, images, ready

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


def test_what_was_worked_out_is_found_again(tmp_path: Path) -> None:
    save(ready("vl-trojan"), tmp_path / "attack")
    again = find(str(tmp_path / "attack"))
    assert np.array_equal(again.trigger(images()[1], RNG).image, ready("vl-trojan").trigger(images()[1], RNG).image)


def test_a_name_is_an_attack_too() -> None:
    assert find("badnet") == get("badnet")


@pytest.mark.parametrize("written", ["", "[]", '{"name": "badnet", "settings": {"colour": 1}}', '{"name": "badnet"}', '{"name": ["x"]}'])
def test_a_damaged_folder_is_one_clear_error(tmp_path: Path, written: str) -> None:
    (tmp_path / "attack.json").write_text(written)
    with pytest.raises(ConfigError, match="attack"):
        find(f"{tmp_path}/")


def test_nothing_is_written_before_the_attack_is_ready(shards: list[Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["poison", str(shards[0].parent), str(tmp_path / "sink"), "--attack", "vl-trojan"])
    assert result.exit_code == 2 and "--surrogate" in result.stderr
    assert not (tmp_path / "sink").exists()


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
