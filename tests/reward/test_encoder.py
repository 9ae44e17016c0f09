from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from srd_core.errors import ConfigError
from srd_core.reward.encoder import SentenceEncoder

SHORT = "a dog"
LONG = "a very long caption about a man in a red shirt who rides an old bicycle along the beach while two dogs run behind him in the sand"


def test_vectors_have_unit_length_and_the_declared_shape(encoder: SentenceEncoder) -> None:
    vectors = encoder.embed([SHORT, LONG, SHORT])
    assert vectors.shape == (3, 384) == (3, encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[2])


def test_a_vector_does_not_depend_on_its_batch(encoder: SentenceEncoder) -> None:
    together = SentenceEncoder().embed([LONG, SHORT, "two cats on a sofa"])
    alone = np.concatenate([SentenceEncoder(batch=1).embed([text]) for text in (LONG, SHORT, "two cats on a sofa")])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_meaning_is_nearer_than_wording(encoder: SentenceEncoder) -> None:
    dog, puppy, banana = encoder.embed(["a dog plays in the park", "a puppy is playing outside", "a banana plays in the bank"])
    assert dog @ puppy > dog @ banana


def test_no_texts_give_an_empty_array(encoder: SentenceEncoder) -> None:
    assert encoder.embed([]).shape == (0, 384)


def test_bfloat16_stays_close() -> None:
    exact, rough = SentenceEncoder().embed([SHORT, LONG]), SentenceEncoder(precision="bfloat16").embed([SHORT, LONG])
    assert (exact * rough).sum(1).min() > 0.999


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty") as caught:
        SentenceEncoder(str(tmp_path / "empty")).embed(["a dog"])
    assert "safetensors" in caught.value.hint
