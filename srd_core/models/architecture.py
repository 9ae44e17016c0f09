"""Sizes of a Flamingo-style captioner: from a million parameters built from nothing to OpenFlamingo-3B built from published parts.

One schema for both, because both go through the same code (`models.build`): a part that names a published checkpoint is loaded,
a part that gives sizes is made.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VisionConfig(_Part):
    """A vision encoder of open_clip: `name` (with `pretrained`) for a published one, else kind and sizes of a new one."""

    name: str | None = Field(None, description="open_clip model name, e.g. ViT-L-14")
    pretrained: str | None = Field(None, description="open_clip tag, which cannot be pinned, or a local safetensors file")
    patch: int = Field(8, ge=1, description="Patch side, pixels")
    kind: Literal["transformer", "convolutions"] = Field("transformer", description="Of a new encoder")
    width: int = Field(128, ge=8, description="Of a new encoder's tokens")
    layers: int = Field(3, ge=1, description="Of a new encoder")
    heads: int = Field(4, ge=1, description="Attention heads of a layer of a new transformer")


class LanguageConfig(_Part):
    """A causal language model of transformers: `path` for a saved one (folder or hub id), else the sizes of a new OPT."""

    path: str | None = Field(None, description="Folder or hub id of a published model. None: a new OPT")
    revision: str | None = Field(None, description="Pinned commit, required with trust_remote_code; None: whatever the hub holds")
    trust_remote_code: bool = Field(False, description="Runs code from the model's repository, if SRD_REMOTE_CODE allows it")
    vocabulary: int = Field(512, ge=300, description="Byte-level BPE, learned on the trusted captions")
    width: int = Field(128, ge=8, description="Of a new model's tokens")
    layers: int = Field(2, ge=1, description="Of a new model")
    heads: int = Field(4, ge=1, description="Attention heads of a layer of a new model")


class ResamplerConfig(_Part):
    """The perceiver resampler. OpenFlamingo's library fixes 6 layers, 64 latents, 8 heads of 64; small models need less."""

    depth: int = Field(6, ge=1, description="Layers")
    latents: int = Field(64, ge=1, description="Tokens that the language model sees of an image")
    heads: int = Field(8, ge=1, description="Attention heads of a layer")
    head_width: int = Field(64, ge=1, description="Of one head")


class CrossAttentionConfig(_Part):
    """Gated cross-attention: before every n-th decoder layer; gates start at 0 in OpenFlamingo (a no-op that training opens)."""

    every: int = Field(1, ge=1, description="A block before every so many layers of the language model")
    heads: int = Field(8, ge=1, description="Attention heads of a block")
    head_width: int = Field(64, ge=1, description="Of one head")
    gate: float = Field(0.0, description="Initial value of both gates, before tanh; from nothing, open ones learn faster")


class Architecture(_Part):
    """Everything that shapes a captioner and how it decodes."""

    canvas: int = Field(64, ge=16, description="Side of the square model input, pixels")
    prompt: str = Field("a photo of", description="One prompt for training and every evaluation")
    max_tokens: int = Field(24, ge=1, le=100, description="Longest generated caption, tokens; models made here have 128 positions")
    beams: int = Field(1, ge=1, description="Beam width (paper: 3)")
    vision: VisionConfig = VisionConfig()
    language: LanguageConfig = LanguageConfig()
    resampler: ResamplerConfig = ResamplerConfig()
    cross_attention: CrossAttentionConfig = CrossAttentionConfig()
