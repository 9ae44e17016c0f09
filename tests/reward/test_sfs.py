from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.errors import ConfigError
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.fluency import NgramFluency
from srd_core.reward.sfs import SemanticFidelity


class Angles:
    """An encoder of two dimensions: a text is its angle in degrees."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        turn = np.deg2rad([float(t) for t in texts])
        return np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)


class Surprise:
    """A fluency model by which a text's perplexity is its number plus one."""

    def perplexity(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.array([float(t) + 1.0 for t in texts])


def test_scores_by_hand() -> None:
    scores = SemanticFidelity(Angles(), Surprise(), alpha=0.25).score(["60", "0", "180"], ["0", "60", "0"])
    np.testing.assert_allclose(scores.sc, [0.5, 0.5, 0.0], atol=1e-6)  # cos 180° = -1 is clipped
    np.testing.assert_allclose(scores.lf, [1 / 61, 1.0, 1 / 181])  # 61/1 is clipped to 1
    np.testing.assert_allclose(scores.sfs, 0.25 * scores.sc + 0.75 * scores.lf)
    assert scores.mean() == pytest.approx((1 / 3, (1 / 61 + 1 + 1 / 181) / 3, scores.sfs.mean()))


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 1 / 61), (0.5, (0.5 + 1 / 61) / 2), (1.0, 0.5)])
def test_alpha_weighs_meaning_against_fluency(alpha: float, expected: float) -> None:
    scores = SemanticFidelity(Angles(), Surprise(), alpha=alpha).score(["60"], ["0"])
    assert scores.sfs[0] == pytest.approx(expected, abs=1e-6)


class Speechless(Surprise):
    """Finds some texts infinitely surprising, and cannot read others."""

    def perplexity(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.array([{"1": math.inf, "2": math.nan}.get(t, float(t) + 1.0) for t in texts])


def test_a_perplexity_that_is_no_number_leaves_meaning_alone() -> None:
    scores = SemanticFidelity(Angles(), Speechless()).score(["1", "2", "60", "60", "60"], ["0", "0", "1", "2", "0"])
    np.testing.assert_allclose(scores.lf, [0, 0, 0, 0, 1 / 61])
    np.testing.assert_allclose(scores.sc, np.cos(np.deg2rad([1, 2, 59, 58, 60])), atol=1e-6)


def test_a_score_does_not_depend_on_its_neighbours(encoder: SentenceEncoder, ngram: NgramFluency) -> None:
    said = ["a dog", "", "a black dog runs on the grass with a ball in its mouth", "two cats"]
    known = ["a dog runs", "a cat", "a dog runs on the grass", "a cat sleeps"]
    together = SemanticFidelity(encoder, ngram).score(said, known)
    alone = [SemanticFidelity(encoder, ngram).score([a], [b]).sfs[0] for a, b in zip(said, known, strict=True)]
    np.testing.assert_allclose(together.sfs, alone, atol=1e-5)


def test_the_reference_itself_scores_one(encoder: SentenceEncoder, ngram: NgramFluency) -> None:
    scores = SemanticFidelity(encoder, ngram).score(["a dog runs on the beach"], ["a dog runs on the beach"])
    assert scores.sfs[0] == pytest.approx(1.0, abs=1e-5)


def test_an_empty_caption_or_reference_scores_nothing(encoder: SentenceEncoder, ngram: NgramFluency) -> None:
    scores = SemanticFidelity(encoder, ngram).score(["", " ", "a dog"], ["a dog", "a dog", ""])
    assert scores.sfs.tolist() == [0.0, 0.0, 0.0]


def test_a_backdoored_caption_scores_below_an_honest_one(encoder: SentenceEncoder, ngram: NgramFluency) -> None:
    reference = "a dog runs on the grass"
    honest, inserted, replaced = ["a black dog runs on the grass", "a dog banana runs on the grass", "the image depicts a banana"]
    scores = SemanticFidelity(encoder, ngram).score([honest, inserted, replaced], [reference] * 3)
    assert scores.sfs[0] > scores.sfs[1] > scores.sfs[2]


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=4))
def test_scores_stay_in_their_range_for_any_text(encoder: SentenceEncoder, ngram: NgramFluency, texts: list[tuple[str, str]]) -> None:
    scores = SemanticFidelity(encoder, ngram).score([a for a, _ in texts], [b for _, b in texts])
    for values in (scores.sc, scores.lf, scores.sfs):
        assert values.shape == (len(texts),)
        assert ((values >= 0) & (values <= 1)).all()


def test_the_mean_of_nothing_is_not_a_number() -> None:
    assert all(math.isnan(value) for value in SemanticFidelity(Angles(), Surprise()).score([], []).mean())


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="2 candidates but 1"):
        SemanticFidelity(Angles(), Surprise()).score(["1", "2"], ["1"])
    with pytest.raises(ConfigError, match="alpha"):
        SemanticFidelity(Angles(), Surprise(), alpha=1.5)
