"""What each defence decides, sample by sample, and that neither order nor batching has a say in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import pytest

from srd_core.data.canvas import CanvasSet
from srd_core.defences.base import Batch, Defence, SampleDecision
from srd_core.defences.calibration import Calibration
from srd_core.defences.channels.base import View, Witnesses, get
from srd_core.defences.controls import NoDefence
from srd_core.defences.evidence import Evidence, collect
from srd_core.defences.injection import injections
from srd_core.defences.masking import MaskEverything
from srd_core.errors import ConfigError
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.random_policy import RandomPolicy
from srd_core.synthesis.synthetic import SynthesisConfig

ImageOf = Callable[..., np.ndarray]
CHANNELS = ("nll_mean", "nll_max", "infidelity", "q_gain")


class Counting(Protocol):
    captioned: int
    read: int


def limits(**thresholds: float) -> Calibration:
    ones = dict.fromkeys(thresholds, 1.0)
    return Calibration(thresholds=thresholds, scales=ones, budget=ones, pairs=100, clean_flagged=0.0, recall={})


@pytest.fixture
def batch(image_of: ImageOf) -> Batch:
    """Honest captions beside a false one of the same image, an inserted word, and an image that nothing is seen in."""
    images = [image_of("red star"), image_of("blue moon", 1), image_of("", 2)]
    return Batch(np.stack(images), [("red star", "look at the banana"), ("blue banana moon",), ("cross",)])


def test_pairs_and_samples_are_told_apart(batch: Batch) -> None:
    assert batch.owners == [0, 0, 1, 2]
    assert batch.flat == ["red star", "look at the banana", "blue banana moon", "cross"]


def test_evidence_touches_only_the_pairs_it_speaks_against(batch: Batch, witnesses: Witnesses) -> None:
    first, second, _ = Evidence(witnesses, limits(nll_max=1.0)).decide(batch)
    honest, false = first.pairs
    assert (honest.action, honest.caption) == ("keep", None)
    assert (false.action, false.caption, false.reason) == ("recaption", "red star", "nll_max")
    assert (second.pairs[0].action, second.pairs[0].caption, second.pairs[0].word) == ("recaption", "blue moon", "banana")
    assert first.mask is None and second.mask is None


def test_evidence_names_the_channel_that_speaks_loudest(batch: Batch, witnesses: Witnesses) -> None:
    loud = limits(nll_max=4.9, infidelity=-5.0)
    assert Evidence(witnesses, loud).decide(batch)[1].pairs[0].reason == "infidelity"


def test_evidence_reports_every_score_it_looked_at(batch: Batch, witnesses: Witnesses) -> None:
    pair = Evidence(witnesses, limits(nll_max=1.0, infidelity=2.0)).decide(batch)[1].pairs[0]
    assert set(pair.evidence) == {"nll_max", "infidelity", "sfs"}
    assert pair.evidence["nll_max"] == pytest.approx(5.0)
    assert pair.evidence["infidelity"] == pytest.approx(1 - pair.evidence["sfs"])


def test_a_channel_without_a_budget_is_on_record_and_decides_nothing(batch: Batch, witnesses: Witnesses) -> None:
    quiet = limits(nll_max=100.0).model_copy(update={"scales": {"nll_max": 1.0, "nll_mean": 1.0}})
    pair = Evidence(witnesses, quiet).decide(batch)[1].pairs[0]
    assert pair.action == "keep" and set(pair.evidence) == {"nll_max", "nll_mean", "sfs"}


def test_without_a_reference_caption_the_pair_is_withheld(batch: Batch, witnesses: Witnesses) -> None:
    pair = Evidence(witnesses, limits(nll_max=1.0)).decide(batch)[2].pairs[0]
    assert pair.action == "quarantine" and pair.caption is None and "nothing to say" in pair.reason


def test_quarantine_writes_no_caption(batch: Batch, witnesses: Witnesses) -> None:
    decided = Evidence(witnesses, limits(nll_max=1.0), "quarantine").decide(batch)
    assert [[pair.action for pair in item.pairs] for item in decided] == [["keep", "quarantine"], ["quarantine"], ["quarantine"]]
    assert all(pair.caption is None for item in decided for pair in item.pairs)


def test_a_threshold_itself_is_not_over_the_threshold(batch: Batch, witnesses: Witnesses) -> None:
    scores = get("nll_max").score(View(batch, witnesses))
    decided = Evidence(witnesses, limits(nll_max=float(scores.max()))).decide(batch)
    assert all(pair.action == "keep" for item in decided for pair in item.pairs)


def test_each_model_looks_once_at_each_image_or_pair(batch: Batch, witnesses: Witnesses, witness: Counting) -> None:
    Evidence(witnesses, limits(nll_mean=9, nll_max=9, infidelity=9, q_gain=99)).decide(batch)
    assert (witness.captioned, witness.read) == (3, 4)


def test_every_channel_gives_one_score_a_pair(batch: Batch, witnesses: Witnesses) -> None:
    view = View(batch, witnesses)
    scores = {name: get(name).score(view) for name in CHANNELS}
    assert all(values.shape == (4,) and np.isfinite(values).all() for values in scores.values())
    assert scores["nll_max"][0] < scores["nll_max"][2]
    assert scores["infidelity"][0] == pytest.approx(0, abs=1e-6) and scores["infidelity"][1] == pytest.approx(1, abs=0.5)
    assert scores["q_gain"][0] == scores["q_gain"][1]


def test_evidence_needs_no_policy_where_no_channel_asks_one(batch: Batch, witnesses: Witnesses) -> None:
    blind = replace(witnesses, policy=None)
    without, beside = (Evidence(asked, limits(nll_max=9, infidelity=0.5)).decide(batch) for asked in (blind, witnesses))
    assert [item.pairs for item in without] == [item.pairs for item in beside]
    assert {item.q_gain for item in without} == {None} and None not in {item.q_gain for item in beside}
    with pytest.raises(ConfigError, match="q_gain asks a policy"):
        get("q_gain").score(View(batch, blind))


def test_collecting_batches_keeps_their_order(batch: Batch, witnesses: Witnesses) -> None:
    twice = collect([View(batch, witnesses), View(batch, witnesses)], CHANNELS)
    once = collect([View(batch, witnesses)], CHANNELS)
    assert all((twice[name] == np.tile(once[name], 2)).all() for name in CHANNELS)
    assert collect([], ("nll_max",))["nll_max"].shape == (0,)


def test_an_unknown_channel_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'nll_min'") as error:
        get("nll_min")
    assert all(name in error.value.hint for name in CHANNELS)


def split(defence: Defence, batch: Batch) -> list[SampleDecision]:
    return [defence.decide(Batch(batch.images[i : i + 1], [batch.captions[i]]))[0] for i in range(len(batch.captions))]


@pytest.mark.parametrize("name", ["none", "random", "learned", "evidence"])
def test_equal_samples_get_equal_decisions_whatever_the_batch(name: str, batch: Batch, witnesses: Witnesses, policy: LearnedPolicy) -> None:
    masking = {"random": RandomPolicy(seed=3), "learned": policy}
    defences: dict[str, Defence] = {"none": NoDefence(), "evidence": Evidence(witnesses, limits(nll_max=1.0, infidelity=0.9))}
    defence = defences[name] if name in defences else MaskEverything(masking[name])  # type: ignore[arg-type]
    for together, alone in zip(defence.decide(batch), split(defence, batch), strict=True):
        assert (together.mask, together.pairs) == (alone.mask, alone.pairs)
        assert together.q_gain == pytest.approx(alone.q_gain, abs=1e-4)


@pytest.mark.parametrize("learned", [True, False])
def test_paper_mode_puts_one_mask_on_every_image(learned: bool, batch: Batch, policy: LearnedPolicy) -> None:
    decided = MaskEverything(policy if learned else RandomPolicy(seed=0)).decide(batch)
    assert all(item.mask is not None for item in decided)
    assert [[pair.action for pair in item.pairs] for item in decided] == [["mask"] * 2, ["mask"], ["mask"]]
    assert all((item.q_value is not None) == learned for item in decided)


def test_no_defence_keeps_everything(batch: Batch) -> None:
    assert {pair.action for item in NoDefence().decide(batch) for pair in item.pairs} == {"keep"}


def test_injected_poisons_are_of_three_kinds(image_of: ImageOf) -> None:
    images = np.stack([image_of("red star", number) for number in range(20)])
    clean = CanvasSet(images, np.arange(20), [f"picture {i} of a star" for i in range(20)], [f"s/{i}#0" for i in range(20)])
    made = injections(clean, SynthesisConfig(placement="fixed"), seed=1, pairs=6)
    assert {kind: len(batch.flat) for kind, batch in made.items()} == dict.fromkeys(
        ("inserted word", "replaced caption", "other image's caption"), 6
    )
    words = SynthesisConfig().target_words
    for kind in ("inserted word", "replaced caption"):
        assert all(any(word in caption for word in words) for caption in made[kind].flat)
        assert not any((image == images).all(axis=(1, 2, 3)).any() for image in made[kind].images)
    assert all("picture" not in caption for caption in made["replaced caption"].flat)
    swapped = made["other image's caption"]
    for image, caption in zip(swapped.images, swapped.flat, strict=True):
        (source,) = np.flatnonzero((image == images).all(axis=(1, 2, 3)))
        assert caption in clean.captions and caption != clean.captions[source]


def test_another_images_caption_is_never_one_of_the_image_itself(image_of: ImageOf) -> None:
    """With several captions an image, the pair before was often of the same one: half of these poisons were true captions."""
    images = np.stack([image_of("red star", number) for number in range(6)])
    owners = np.repeat(np.arange(6), 5)
    clean = CanvasSet(images, owners, [f"picture {i} of a star" for i in owners], [f"s/{i}#{n % 5}" for n, i in enumerate(owners)])
    swapped = injections(clean, SynthesisConfig(), seed=1, pairs=15)["other image's caption"]
    for image, caption in zip(swapped.images, swapped.flat, strict=True):
        (source,) = np.flatnonzero((image == images).all(axis=(1, 2, 3)))
        assert caption != f"picture {source} of a star"
    alone = CanvasSet(images[:1], owners[:5], clean.captions[:5], clean.ids[:5])
    assert set(injections(alone, SynthesisConfig(), seed=1, pairs=2)) == {"inserted word", "replaced caption"}
