"""The semantic fidelity score (paper eq. 4-6): does a caption still say what the reference says, as fluently?

SC is the cosine of two sentence vectors, *clipped* to [0, 1]. The paper only says "normalized"; the other reading, (1 + cos) / 2,
cannot give the values below 0.5 that the paper prints. LF is perplexity(reference) / perplexity(candidate), clipped to [0, 1]:
more fluent than the reference is no gain. SFS = alpha * SC + (1 - alpha) * LF.
Not covered: who writes the reference, and whether it is right; a short and bland caption is fluent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from srd_core.errors import ConfigError
from srd_core.reward.encoder import TextEncoder
from srd_core.reward.fluency import FluencyModel

Scores = npt.NDArray[np.float64]


class SfsMean(NamedTuple):
    """Means over captions, each in [0, 1]; NaN over no captions."""

    sc: float
    lf: float
    sfs: float


@dataclass(frozen=True, slots=True)
class SfsScores:
    """Scores of N captions, each of shape (N,) float64; in [0, 1]."""

    sc: Scores
    lf: Scores
    sfs: Scores

    def mean(self) -> SfsMean:
        """Means over all captions, empty ones included with their zeros."""
        if not len(self.sfs):
            return SfsMean(float("nan"), float("nan"), float("nan"))
        return SfsMean(float(self.sc.mean()), float(self.lf.mean()), float(self.sfs.mean()))


class SemanticFidelity:
    """Scores captions against reference captions. `alpha` weighs SC against LF (paper: 0.5)."""

    def __init__(self, encoder: TextEncoder, fluency: FluencyModel, alpha: float = 0.5) -> None:
        if not 0.0 <= alpha <= 1.0:
            raise ConfigError(f"alpha is {alpha}, outside 0 to 1", hint="The paper uses 0.5")
        self._encoder = encoder
        self._fluency = fluency
        self._alpha = alpha

    def score(self, candidates: Sequence[str], references: Sequence[str]) -> SfsScores:
        """Score `candidates[i]` against `references[i]`. Where either is empty SC and LF are 0: nothing said, nothing preserved."""
        if len(candidates) != len(references):
            raise ValueError(f"{len(candidates)} candidates but {len(references)} references")
        said = np.array([bool(c.strip()) and bool(r.strip()) for c, r in zip(candidates, references, strict=True)], dtype=bool)
        sc, lf = np.zeros(len(said)), np.zeros(len(said))
        if said.any():
            rows = np.flatnonzero(said).tolist()
            sc[rows], lf[rows] = self._both([candidates[i] for i in rows], [references[i] for i in rows])
        return SfsScores(sc=sc, lf=lf, sfs=self._alpha * sc + (1.0 - self._alpha) * lf)

    def _both(self, candidates: list[str], references: list[str]) -> tuple[Scores, Scores]:
        n = len(candidates)
        vectors = self._encoder.embed([*candidates, *references]).astype(np.float64)
        perplexity = self._fluency.perplexity([*candidates, *references])
        sc = np.einsum("nd,nd->n", vectors[:n], vectors[n:])
        lf = np.zeros(n)
        known = np.isfinite(perplexity[:n]) & np.isfinite(perplexity[n:])
        np.divide(perplexity[n:], perplexity[:n], out=lf, where=known)
        return np.clip(sc, 0.0, 1.0), np.clip(lf, 0.0, 1.0)
