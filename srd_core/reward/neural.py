"""Perplexity under a causal language model from transformers (gpt2-large in the paper).

Weights are safetensors from a folder, or from the hub: at the revision that is given, else what the hub holds. Remote code is never run.
Unlike the official code a start token is put first, so that the first word is judged too and a caption of one token has a perplexity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from srd_core.errors import ConfigError
from srd_core.hardware import device
from srd_core.hub import check_name, loading
from srd_core.models.torchvision_shim import declare_operators
from srd_core.reward.memo import Memo

_BATCH = 16
_MAX_TOKENS = 512
"""Of one text, the start token included; what is longer is cut."""
_REMEMBERED = 200_000


class NeuralFluency:
    """A causal language model as a fluency model; loaded at first use, batched by length, remembered by text.

    `model` is a folder or a hub name; `revision` pins a hub model, which without one follows the hub.
    """

    def __init__(self, model: str, revision: str | None = None) -> None:
        self._name = model
        self._revision = revision
        self._memo: Memo[float] = Memo(_REMEMBERED)
        self._parts: tuple[Any, Any] | None = None

    def perplexity(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Perplexity: exp of the mean surprise a token, shape (N,). Infinite where no token is predicted.

        Raises ConfigError when the model cannot be loaded.
        """
        return np.array(self._memo.resolve(texts, self._compute), dtype=np.float64)

    def _compute(self, texts: list[str]) -> list[float]:
        tokenizer, _ = self._loaded()
        first = _start_token(tokenizer)
        encoded = _encode(tokenizer, texts, _MAX_TOKENS - 1)
        rows = [[first, *ids] if text.strip() else [] for text, ids in zip(texts, encoded, strict=True)]
        found = np.full(len(rows), np.inf)
        order = sorted((i for i, row in enumerate(rows) if len(row) > 1), key=lambda i: len(rows[i]))
        for begin in range(0, len(order), _BATCH):
            chosen = order[begin : begin + _BATCH]
            found[chosen] = self._batch_perplexity([rows[i] for i in chosen])
        return [float(value) for value in found]

    def _batch_perplexity(self, rows: list[list[int]]) -> npt.NDArray[np.float64]:
        import torch

        _, model = self._loaded()
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        width = int(lengths.max())
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=model.device)
        real = torch.arange(width, device=model.device)[None, :] < lengths[:, None]
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=real.long()).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), ids[:, 1:], reduction="none")
        mean = (loss * real[:, 1:]).sum(1).double() / (lengths - 1)
        return np.asarray(mean.exp().cpu().numpy(), dtype=np.float64)

    def _loaded(self) -> tuple[Any, Any]:
        if self._parts is None:
            self._parts = _load(self._name, self._revision, str(device()))
        return self._parts


def _encode(tokenizer: Any, texts: list[str], room: int) -> list[list[int]]:
    encoded: list[list[int]] = tokenizer(texts, add_special_tokens=False, split_special_tokens=True, truncation=True, max_length=room)[
        "input_ids"
    ]
    return encoded


def _start_token(tokenizer: Any) -> int:
    token = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if token is None:
        raise ConfigError("the fluency model's tokenizer has no start token", hint="Name another model in reward.language_model")
    return int(token)


def _load(name: str, revision: str | None, on: str) -> tuple[Any, Any]:
    import torch

    declare_operators()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check_name(name)
    hint = "Give a folder with safetensors weights, check the network, or use the n-gram model (reward.language_model=null)"
    with loading(f"fluency model {name!r}", hint):
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(
            name, revision=revision, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        )
    return tokenizer, model.to(on).eval()
