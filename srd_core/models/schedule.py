"""How a captioner is trained: settings of one run, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from srd_core.hardware import Precision

Through = Literal["patches", "latents"]
"""Who votes on words while the encoder learns to see; see `srd_core.models.sight`."""


class Schedule(BaseModel):
    """Settings of one fit. AdamW, cosine decay after a linear warm-up, gradient norm clipped (paper: 20 epochs, lr 1e-4, 10 % poison)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float = Field(4.0, gt=0, description="Passes over the pairs; fractions are allowed")
    batch_size: int = Field(64, ge=1, description="Pairs of a step")
    learning_rate: float = Field(1e-3, gt=0, description="The highest, after the warm-up; AdamW, cosine decay")
    weight_decay: float = Field(0.1, ge=0, description="Of AdamW")
    warmup: float = Field(0.05, ge=0, le=1, description="Share of the steps on which the learning rate rises")
    clip: float = Field(1.0, gt=0, description="Largest gradient norm")
    trains: Literal["all", "perceiver+xattn"] = Field("all", description="perceiver+xattn (and input embeddings): the paper")
    precision: Precision = Field("auto", description="auto: bfloat16 where the processor has it, else float32")


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit did: gradient steps, mean loss over the first and the last tenth of them, seconds."""

    steps: int
    first_loss: float
    last_loss: float
    seconds: float
