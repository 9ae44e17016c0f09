from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd_core.errors import ConfigError
from srd_core.reward.kneser_ney import END, START, KneserNey, raw_counts
from srd_core.reward.ngram import NgramFluency, first_words

WORDS = st.sampled_from(["a", "dog", "cat", "on", "the", "mat"])


def test_words_are_lower_cased_and_bare() -> None:
    assert first_words("A man's Dog, at 9:30 -- woof! (naïve_dog)") == ["a", "man's", "dog", "at", "9", "30", "woof", "naïve", "dog"]


def test_bigram_probabilities_by_hand() -> None:
    # sentences "3" and "3 4": bigrams (s,3)x2 (3,e) (3,4) (4,e); one discount n1/(n1+2 n2) = 3/5 for bigrams
    # unigrams (left neighbours): 3 -> 1, e -> 2, 4 -> 1; n1 = 2, n2 = 1 -> 1/2; e, unk, 3 and 4 can follow => uniform 1/4
    model = KneserNey(raw_counts([[3], [3, 4]], 2), 2, 5)
    unigram_4 = (1 - 0.5 + 0.5 * 3 * 0.25) / 4
    assert model.probability(4, ()) == pytest.approx(unigram_4)
    assert model.probability(4, (3,)) == pytest.approx((1 - 0.6 + 0.6 * 2 * unigram_4) / 2)
    assert model.probability(3, (START,)) == pytest.approx((2 - 0.6 + 0.6 * 1 * unigram_4) / 2)  # 3 and 4 share a unigram count
    assert model.probability(END, (2,)) == pytest.approx((2 - 0.5 + 0.5 * 3 * 0.25) / 4)  # unseen history: the shorter one decides


def test_perplexity_is_the_geometric_mean_of_the_word_probabilities(ngram: NgramFluency) -> None:
    steps = [("a", ["<s>"]), ("dog", ["<s>", "a"]), ("zebra", ["a", "dog"]), ("</s>", ["dog", "zebra"])]
    product = math.prod(ngram.probability(word, context) for word, context in steps)
    assert ngram.perplexity(["A dog zebra."])[0] == pytest.approx(product ** (-1 / 4))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=8), st.lists(WORDS, max_size=3), st.integers(2, 5))
def test_probabilities_sum_to_one_after_any_context(sentences: list[list[str]], context: list[str], order: int) -> None:
    model = NgramFluency(order=order).fit(" ".join(s) for s in sentences)
    for begun in (context, ["<s>", *context], [*context, "never"]):
        assert sum(model.probability(word, begun) for word in model.vocabulary) == pytest.approx(1.0)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_occurrences_are_those_in_the_captions(order: int, tmp_path: Path) -> None:
    model = NgramFluency(order).fit(["a dog", "A dog sees a dog!", "", "cat", "dog dog dog dog dog"])
    model.save(tmp_path / "m.gz")
    for known in (model, NgramFluency.load(tmp_path / "m.gz")):
        assert known.occurrences() == ({"a": 3, "cat": 1, "dog": 8, "sees": 1}, 4)


def test_order_of_words_matters(ngram: NgramFluency) -> None:
    fluent, shuffled = ngram.perplexity(["a dog runs on the beach", "beach the on runs dog a"])
    assert fluent * 3 < shuffled


def test_an_inserted_word_costs_fluency(ngram: NgramFluency) -> None:
    clean, poisoned = ngram.perplexity(["a dog runs on the grass", "a dog banana runs on the grass"])
    assert clean < poisoned < math.inf


def test_a_text_without_a_word_is_infinitely_surprising(ngram: NgramFluency) -> None:
    assert np.isinf(ngram.perplexity(["", "  ", "?!"])).all()


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_has_a_perplexity_of_at_least_one(ngram: NgramFluency, text: str) -> None:
    assert ngram.perplexity([text])[0] >= 1.0


def test_save_and_load_keep_every_value_and_the_bytes(ngram: NgramFluency, tmp_path: Path) -> None:
    ngram.save(tmp_path / "a.json.gz")
    loaded = NgramFluency.load(tmp_path / "a.json.gz")
    loaded.save(tmp_path / "b.json.gz")
    texts = ["a dog runs", "two red zebras", "umbrella"]
    assert loaded.perplexity(texts).tolist() == ngram.perplexity(texts).tolist()
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_the_order_of_the_captions_does_not_change_the_saved_bytes(tmp_path: Path) -> None:
    captions = ["a dog", "the red dog", "a cat on the mat"]
    NgramFluency().fit(captions).save(tmp_path / "a")
    NgramFluency().fit(captions[::-1]).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_fitting_again_forgets_what_was_remembered() -> None:
    model = NgramFluency().fit(["a dog runs"])
    before = model.perplexity(["a cat sleeps"])[0]
    assert model.fit(["a cat sleeps"]).perplexity(["a cat sleeps"])[0] < before


@pytest.mark.parametrize(
    "content",
    [
        b"not gzip",
        gzip.compress(b"not json"),
        gzip.compress(b'{"format": "other"}'),
        gzip.compress(b'{"format": "srd-ngram-1", "order": 3, "words": ["a"], "counts": [[0, 99, 1]]}'),
        gzip.compress(b'{"format": "srd-ngram-1", "order": 3, "words": ["a"], "counts": [[0, 3, -1]]}'),
        gzip.compress(b'{"format": "srd-ngram-1", "order": 3, "words": ["a"], "counts": []}'),
    ],
    ids=["not gzip", "not json", "other format", "unknown word", "negative count", "nothing counted"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lm.json.gz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"lm\.json\.gz"):
        NgramFluency.load(tmp_path / "lm.json.gz")


def test_what_cannot_be_asked_or_fitted_says_so() -> None:
    with pytest.raises(ConfigError, match="not been fitted"):
        NgramFluency().perplexity(["a dog"])
    with pytest.raises(ConfigError, match="no caption"):
        NgramFluency().fit(["", "..."])
    with pytest.raises(ConfigError, match="order"):
        NgramFluency(order=1)
