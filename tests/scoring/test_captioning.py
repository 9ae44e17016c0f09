from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.errors import ConfigError
from srd_core.scoring import captioning
from srd_core.scoring.captioning import bleu_4, cider_per_image
from srd_core.scoring.ptb import tokenize
from tests.scoring.coco import caption_scores

CAPTION = st.lists(st.sampled_from(["a", "dog", "cat", "runs", "sits", "on", "the", "grass", "mat"]), min_size=1, max_size=8).map(" ".join)


def test_the_references_themselves_score_one_and_ten() -> None:
    texts = ["a dog runs on the grass", "two cats sit on a red mat", "the old man rides a bike"]
    scores = caption_scores(texts, [[t] for t in texts])
    assert scores == pytest.approx({"bleu_1": 1, "bleu_2": 1, "bleu_3": 1, "bleu_4": 1, "rouge_l": 1, "cider": 10}, abs=1e-6)


def test_bleu_and_rouge_by_hand() -> None:
    scores = caption_scores(["A dog runs."], [["a dog sits down"]])
    brevity = math.exp(1 - 4 / 3)
    assert scores["bleu_1"] == pytest.approx(2 / 3 * brevity, rel=1e-6)
    assert scores["bleu_2"] == pytest.approx(math.sqrt(2 / 3 * 1 / 2) * brevity, rel=1e-6)
    assert scores["bleu_3"] == pytest.approx(0.0, abs=1e-4)
    precision, recall = 2 / 3, 2 / 4
    assert scores["rouge_l"] == pytest.approx((1 + 1.44) * precision * recall / (recall + 1.44 * precision))


def test_cider_by_hand() -> None:
    # unigrams only, two images: idf of "cat" and "dog" is ln 2, "a" is in both references and weighs nothing
    each = cider_per_image(["cat", "cat"], [["cat"], ["dog"]])
    np.testing.assert_allclose(each, [10 / 4, 0.0])


def test_case_and_final_punctuation_do_not_matter() -> None:
    references = [["a dog runs"], ["the cat sits"]]
    assert caption_scores(["A Dog runs!", "the CAT sits."], references) == caption_scores(["a dog runs", "the cat sits"], references)


def test_the_published_example_is_met(metric_gold: Path) -> None:
    example = json.loads((metric_gold / "gold.json").read_text())["nlg_eval_example"]
    candidates, references = [example["hyps"][k][0] for k in "01"], [example["refs"][k] for k in "01"]
    scores, published = caption_scores(candidates, references), example["recomputed"]
    for ours, theirs in [*((f"bleu_{n}", f"Bleu_{n}") for n in range(1, 5)), ("rouge_l", "ROUGE_L"), ("cider", "CIDEr")]:
        assert scores[ours] == pytest.approx(published[theirs], abs=1e-6), ours


def test_an_empty_caption_scores_nothing_and_breaks_nothing() -> None:
    scores = caption_scores(["", "a dog runs on the grass"], [["a cat sits"], ["a dog runs on the grass"]])
    assert scores["rouge_l"] == pytest.approx(0.5)
    assert cider_per_image(["", "a dog"], [["a cat"], ["a dog"]])[0] == 0.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(CAPTION, st.lists(CAPTION, min_size=1, max_size=3)), min_size=2, max_size=5))
def test_scores_have_their_range_and_cider_is_the_mean_of_its_parts(images: list[tuple[str, list[str]]]) -> None:
    candidates, references = [c for c, _ in images], [r for _, r in images]
    scores = caption_scores(candidates, references)
    assert all(-1e-9 <= scores[name] <= 1 + 1e-6 for name in scores if name != "cider")
    assert scores["cider"] == pytest.approx(cider_per_image(candidates, references).mean())
    assert -1e-9 <= scores["cider"] <= 10 + 1e-6


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [([], [], "0 candidates"), (["a"], [["a"], ["b"]], "1 candidates for 2"), (["a", "b"], [["a"], ["", "..."]], "image number 1")],
)
def test_what_cannot_be_scored_is_refused(candidates: list[str], references: list[list[str]], message: str) -> None:
    for score in (partial(bleu_4, seed=0), cider_per_image):
        with pytest.raises(ValueError, match=message):
            score(candidates, references)


@pytest.mark.parametrize("score", [partial(bleu_4, seed=0), cider_per_image])
def test_a_missing_scorer_is_named(monkeypatch: pytest.MonkeyPatch, score: Callable[[list[str], list[list[str]]], object]) -> None:
    for module in ("bleu.bleu", "cider.cider"):
        monkeypatch.setitem(sys.modules, f"pycocoevalcap.{module}", None)
    with pytest.raises(ConfigError, match="pycocoevalcap"):
        score(["a dog"], [["a dog"]])


def test_what_bleu_counts_adds_up_to_bleu() -> None:
    """Every draw of one image many times over is that image: the interval has no width, and lies where the scorer does."""
    caption, texts = "a dog runs on the green grass", ["a dog runs over the green grass here", "the dog"]
    found = bleu_4([caption] * 30, [texts] * 30, 0)
    assert found.value == caption_scores([caption] * 30, [texts] * 30)["bleu_4"]
    assert (found.low, found.high, found.n) == (pytest.approx(found.value, abs=1e-6), pytest.approx(found.value, abs=1e-6), 30)


def test_bleu_asks_no_other_scorer_and_a_text_is_split_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rouge.rouge", "cider.cider"):
        monkeypatch.setitem(sys.modules, f"pycocoevalcap.{module}", None)
    split: list[str] = []
    monkeypatch.setattr(captioning, "tokenize", lambda text: split.append(text) or tokenize(text))
    captions, texts = ["a zebu on a quay", "a zebu at a quay"], [["a zebu stands on a quay", "one zebu"], ["a quay with a zebu"]]
    assert bleu_4(captions, texts, 0) == bleu_4(captions, texts, 0)
    assert sorted(split) == sorted([*captions, *texts[0], *texts[1]])


def test_bleu_is_surer_with_more_images() -> None:
    captions, texts = ["a dog runs on the grass", "two men on a red bike"], [["a dog runs on the grass"], ["two women on a blue bike"]]
    few, many = (bleu_4(captions * n, texts * n, 0) for n in (10, 200))
    assert 0 < few.low < many.low < many.value < many.high < few.high <= 1
    assert bleu_4(captions * 10, texts * 10, 0) == few != bleu_4(captions * 10, texts * 10, 1)
