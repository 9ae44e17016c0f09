"""Linguistic fluency (paper eq. 5): the perplexity of captions under a language model.

Two models behind one protocol: an n-gram model fitted on trusted captions (`ngram`), which needs nothing from outside, and a
neural one (`neural`), gpt2-large in the paper. Perplexities of different models are not comparable; ratios within one model are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from srd_core.reward.neural import NeuralFluency
from srd_core.reward.ngram import NgramFluency

__all__ = ["FluencyModel", "NeuralFluency", "NgramFluency"]


class FluencyModel(Protocol):
    """Perplexity of texts, shape (N,) float64, at least 1; infinite for a text without a word."""

    def perplexity(self, texts: Sequence[str]) -> npt.NDArray[np.float64]: ...
