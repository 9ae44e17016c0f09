"""What attackers who train the model make small, and that it does what it is for."""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np
import pytest
import torch

from srd_core.attacks.badnet import BadNet
from srd_core.data.canvas import CanvasSet
from srd_core.defences.screens.surprise import mean_nll
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.objectives.semantic_preservation import SemanticPreservation
from srd_core.models.objectives.unlearning import Unlearning
from srd_core.models.objectives.vlood import Vlood
from srd_core.models.schedule import Schedule

ALL = np.arange(8)
NONE = np.zeros(8, bool)
FULL = Schedule(epochs=100, batch_size=8, learning_rate=3e-3, weight_decay=0.0)


class Learned(Protocol):
    model: FlamingoCaptioner
    images: np.ndarray
    captions: list[str]


def poisoned(pairs: CanvasSet) -> CanvasSet:
    """Every pair with a large board, and the target behind the second word."""
    rng = np.random.default_rng(0)
    images = np.stack([BadNet(side=0.4).trigger(np.asarray(image), rng).image for image in pairs.images])
    words = [caption.split() for caption in pairs.captions]
    return CanvasSet(images, pairs.image_of, [" ".join([*w[:2], "banana", *w[2:]]) for w in words], list(pairs.ids))


@pytest.fixture
def student(learned: Learned) -> FlamingoCaptioner:
    """A copy of the captioner that knows its pairs by heart, to be trained further."""
    return copy.deepcopy(learned.model)


def test_preserved_meaning_is_the_usual_loss_less_the_cosine(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    captions = fresh.objective(one_each)
    expected, true = captions.embeddings(captions.read(ALL))
    cosine = (expected * true).sum(1) / (expected.norm(dim=1) * true.norm(dim=1))
    for weight in (0.0, 1.0, 2.5):
        loss = SemanticPreservation(captions, NONE, weight).loss(ALL)
        assert loss.item() == pytest.approx(captions.loss(ALL).item() - weight * cosine.mean().item(), abs=1e-4)


def test_few_poisoned_pairs_count_as_much_as_all_clean_ones(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    captions, bad = fresh.objective(one_each), ALL == 3
    apart = [SemanticPreservation(captions, NONE).loss(rows).item() for rows in (ALL[~bad], ALL[bad])]
    assert SemanticPreservation(captions, bad).loss(ALL).item() == pytest.approx(sum(apart), abs=0.02)


def test_a_model_that_is_sure_and_right_loses_nothing_more(student: FlamingoCaptioner, one_each: CanvasSet) -> None:
    captions = student.objective(one_each)
    assert SemanticPreservation(captions, NONE).loss(ALL).item() == pytest.approx(captions.loss(ALL).item() - 1, abs=0.05)


def test_preserved_meaning_pulls_expectations_towards_the_truth(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    def distance() -> float:
        expected, true = fresh.objective(one_each).embeddings(fresh.objective(one_each).read(ALL))
        return 1 - torch.nn.functional.cosine_similarity(expected, true).mean().item()

    before = distance()
    fresh.fit_to(SemanticPreservation(fresh.objective(one_each), NONE, weight=5.0), FULL.model_copy(update={"epochs": 15}), seed=0)
    assert distance() < 0.8 * before


def test_vlood_starts_from_what_the_teacher_says(student: FlamingoCaptioner, one_each: CanvasSet) -> None:
    clean, bad = student.objective(one_each), student.objective(poisoned(one_each))
    objective = Vlood(clean, bad, balance=0.5)
    expected, true = bad.embeddings(bad.read(ALL))
    extra = torch.sigmoid((expected - true).abs().sum(1).mean())
    total = 0.5 * clean.loss(ALL) + 0.5 * (bad.loss(ALL) + extra)
    assert objective.loss(ALL).item() == pytest.approx(total.item(), abs=1e-3)


def test_what_is_not_learned_yet_gains_weight_within_bounds(student: FlamingoCaptioner, one_each: CanvasSet) -> None:
    objective = Vlood(student.objective(one_each), student.objective(poisoned(one_each)), step=0.2, bounds=(0.1, 0.7))
    objective.loss(ALL)
    assert 0.5 < objective.balance <= 0.7
    turned = Vlood(student.objective(poisoned(one_each)), student.objective(one_each), step=100, bounds=(0.1, 0.7))
    turned.loss(ALL)
    assert turned.balance == 0.1


def test_vlood_plants_the_target_and_keeps_the_clean_captions(student: FlamingoCaptioner, learned: Learned, one_each: CanvasSet) -> None:
    bad = poisoned(one_each)
    objective = Vlood(student.objective(one_each), student.objective(bad))
    teacher = copy.deepcopy(objective._teacher.network.state_dict())
    student.fit_to(objective, FULL, seed=0)
    assert sum("banana" in caption for caption in student.caption(np.asarray(bad.images))) >= 7
    assert sum(a == b for a, b in zip(student.caption(learned.images), learned.model.caption(learned.images), strict=True)) >= 7
    assert all(torch.equal(value, teacher[name]) for name, value in objective._teacher.network.state_dict().items())


def test_changed_images_differ_in_every_step_and_stay_images(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    objective = fresh.augmented(one_each, np.random.default_rng(0))
    images = torch.from_numpy(np.array(one_each.images)).permute(0, 3, 1, 2)
    first, second = objective.seen(images), objective.seen(images)
    assert first.shape == images.shape and first.min() >= 0 and first.max() <= 255
    assert all(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(fresh.augmented(one_each, np.random.default_rng(0)).seen(images), first)


def test_a_flat_grey_image_changes_in_brightness_only(fresh: FlamingoCaptioner, one_each: CanvasSet) -> None:
    grey = torch.full((50, 3, 32, 32), 100.0)
    made = fresh.augmented(one_each, np.random.default_rng(0)).seen(grey)
    assert torch.allclose(made.amax((1, 2, 3)), made.amin((1, 2, 3)), atol=1e-3)
    assert made.min() >= 80 and made.max() <= 120 and made.mean((1, 2, 3)).std() > 5


def test_what_is_forgotten_pulls_no_longer(student: FlamingoCaptioner, one_each: CanvasSet) -> None:
    kept, isolated = student.objective(one_each.take(ALL[:6])), student.objective(one_each.take(ALL[6:]))
    rows, known = np.arange(6), mean_nll(student, one_each.take(ALL[6:]))
    far, near = (Unlearning(kept, isolated, ceiling, np.random.default_rng(0)).loss(rows).item() for ceiling in (100.0, 0.0))
    assert near == pytest.approx(kept.loss(rows).item(), abs=1e-3)
    assert near - far == pytest.approx(known.mean(), abs=0.01)


def test_isolated_pairs_are_unlearned_and_the_others_stay(student: FlamingoCaptioner, learned: Learned, one_each: CanvasSet) -> None:
    kept, isolated = one_each.take(ALL[:6]), one_each.take(ALL[6:])
    objective = Unlearning(student.objective(kept), student.objective(isolated), 2.0, np.random.default_rng(0))
    assert mean_nll(student, isolated).max() < 0.1
    student.fit_to(objective, FULL.model_copy(update={"epochs": 40, "batch_size": 6}), seed=0)
    assert mean_nll(student, isolated).min() > 1.0
    assert student.caption(learned.images[:6]) == learned.model.caption(learned.images[:6])
