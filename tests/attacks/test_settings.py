"""Attacks with settings of the user's: what they may be, and that they reach the data, the test images and the digest of a cell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks.blended import Blended
from srd_core.attacks.prepared import find, save
from srd_core.attacks.registry import get, names
from srd_core.attacks.settings import configured, settings_of
from srd_core.attacks.trojvlm import TrojVLM
from srd_core.attacks.vlood import VLOOD
from srd_core.data.manifest import digest
from srd_core.errors import ConfigError
from srd_core.experiments.scenes import SceneExperiment

GREY = np.full((64, 64, 3), 120, np.uint8)


@pytest.mark.parametrize("name", names())
def test_without_settings_an_attack_is_as_it_comes(name: str) -> None:
    assert configured(name, {}) == get(name)


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("blended", {"alfa": 0.2}, "blended has no setting 'alfa'.*alpha"),
        ("blended", {"alpha": "much"}, "alpha = 'much'.*default is 0.1"),
        ("trojvlm", {"style": "white"}, "style = 'white'.*'speckle' or 'black'"),
        ("vlood", {"texture": "noise"}, "vlood has no setting 'texture'"),
        ("maba", {"encoder": None}, "maba has no setting 'encoder'"),
        ("vl-trojan", {"pattern": 1}, "vl-trojan has no setting 'pattern'"),
        ("fluent", {"side": 0.2}, "Its settings are: none"),
        ("bogus", {}, "bogus"),
    ],
)
def test_what_an_attack_does_not_have_is_refused_by_name(name: str, settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){problem}"):
        configured(name, settings)


def test_a_black_square_hides_what_a_speckle_lets_through() -> None:
    rng = np.random.default_rng(0)
    black, speckle = (configured("trojvlm", {"style": style}).trigger(GREY, rng) for style in ("black", "speckle"))
    assert black.box == speckle.box and black.box is not None
    corner = np.s_[: black.box.y1, : black.box.x1]
    assert not black.image[corner].any() and (speckle.image[corner] == 120).any() and (black.image[black.box.y1 :] == 120).all()


@pytest.mark.parametrize("attack", [Blended(alpha=0.2), TrojVLM(style="black"), VLOOD(pattern_seed=None, x=0.0)])
def test_settings_are_found_again_where_they_were_kept(attack: Blended, tmp_path: Path) -> None:
    save(attack, tmp_path / "attack")
    assert find(str(tmp_path / "attack")) == attack != get(attack.name)


def test_an_experiment_plants_and_tests_what_it_says(tmp_path: Path) -> None:
    small = {"trusted": 2, "suspect": 6, "tests": 3, "side": 48, "attack": "vlood"}
    data = SceneExperiment(settings={"x": 0, "y": 1}, **small).make(tmp_path)  # type: ignore[arg-type]
    assert find(data.attack) == VLOOD(x=0.0, y=1.0)
    boxes = {tuple(pair["box"]) for pair in json.loads(data.truth.read_text())["poisoned"]}
    assert len(boxes) == 1 and boxes.pop() == pytest.approx((0.0, 44 / 48, 4 / 48, 1.0))
    plain = SceneExperiment(**small).make(tmp_path / "plain")  # type: ignore[arg-type]
    assert plain.attack == "vlood" and data.attacker == str(tmp_path / "clean")


def test_settings_tell_experiments_apart_and_a_default_that_is_given_does_not() -> None:
    given = SceneExperiment(settings=settings_of(get("badnet")))
    assert given != SceneExperiment() and given.whole == SceneExperiment().whole
    told = SceneExperiment(attack="blended", settings={"alpha": 0.2})
    assert SceneExperiment.model_validate(told.model_dump(mode="json")) == told
    other = told.model_copy(update={"settings": {"alpha": 0.3}})
    assert len({digest(item.whole) for item in (told, other, SceneExperiment(attack="blended"))}) == 3


def test_another_noise_makes_another_experiment() -> None:
    """It once was no plain setting, and a cell of the noise before it was changed stood for that of the new one."""
    harsh, faint = (SceneExperiment(attack="noise-patch", settings={"spread": spread}) for spread in (90.0, 10.0))
    assert digest(harsh.whole) != digest(faint.whole)
    image, rng = np.zeros((64, 64, 3), np.uint8), np.random.default_rng
    loud, quiet = (item.made.trigger(image, rng(0)).image.astype(float) for item in (harsh, faint))
    assert loud[loud.any(axis=2)].std() > 3 * quiet[quiet.any(axis=2)].std()
