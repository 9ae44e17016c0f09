"""Put a Flamingo together from open_flamingo's own classes, at any size.

The library's factory loads published parts only and always runs code from model repositories; this does the same steps with
both choices open. Not covered: the MPT-1B models' missing `get_input_embeddings` is patched as the library does, other remote-code
models must bring theirs.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import nn

from srd_core.errors import ConfigError
from srd_core.hub import check_name, loading
from srd_core.models.architecture import Architecture, LanguageConfig, VisionConfig
from srd_core.models.network import FlamingoNetwork, LanguageMixin
from srd_core.models.tokenizer import END_OF_CHUNK, IMAGE, add_flamingo_tokens
from srd_core.models.torchvision_shim import declare_operators
from srd_core.models.vision import ConvolutionalEncoder
from srd_core.models.weights import check_language, check_vision

declare_operators()

import open_clip  # noqa: E402
from open_clip.transformer import VisionTransformer  # noqa: E402
from open_flamingo.src.factory import _infer_decoder_layers_attr_name  # noqa: E402
from open_flamingo.src.helpers import GatedCrossAttentionBlock, PerceiverResampler  # noqa: E402
from open_flamingo.src.utils import extend_instance  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, OPTConfig, OPTForCausalLM, PreTrainedModel, PreTrainedTokenizerBase  # noqa: E402

_PUBLISHED = "Give the whole path of a folder with weights and a tokenizer, or check name, revision and network"
REMOTE_CODE = "SRD_REMOTE_CODE"
"""Environment: whose code may run, `REPOSITORY@COMMIT` or `/folder@any`, with commas between. Not set: nobody's."""


def build_network(architecture: Architecture, tokenizer: PreTrainedTokenizerBase) -> FlamingoNetwork:
    """A network with fresh (or published, where the architecture names them) weights, in float32 on the CPU."""
    vision, vision_width = _vision(architecture.vision, architecture.canvas)
    language = _language(architecture.language, tokenizer)
    network = FlamingoNetwork(
        SimpleNamespace(visual=vision),
        language,
        cast(int, tokenizer.convert_tokens_to_ids(END_OF_CHUNK)),
        cast(int, tokenizer.convert_tokens_to_ids(IMAGE)),
        vis_dim=vision_width,
        cross_attn_every_n_layers=architecture.cross_attention.every,
    )
    _resize(network, architecture, vision_width)
    return network


def load_tokenizer(config: LanguageConfig) -> PreTrainedTokenizerBase:
    """The published tokenizer of `config.path`, with Flamingo's tokens added."""
    _check_published(config)
    with loading(f"tokenizer of {config.path!r} (language.path)", _PUBLISHED):
        tokenizer = AutoTokenizer.from_pretrained(config.path, **_at(config))
        add_flamingo_tokens(tokenizer)
        tokenizer("a")  # some of what is wrong with one shows only here
    return cast(PreTrainedTokenizerBase, tokenizer)


def _vision(config: VisionConfig, canvas: int) -> tuple[nn.Module, int]:
    if config.name is not None:
        return _tower(config.name, config.pretrained, canvas)
    if canvas % config.patch:
        problem = f"a canvas of {canvas} px is not a whole number of {config.patch}-px patches"
        raise ConfigError(problem, hint="Change canvas or vision.patch")
    if config.kind == "convolutions":
        return ConvolutionalEncoder(canvas, config.patch, config.width, config.layers), config.width
    visual = VisionTransformer(canvas, config.patch, config.width, config.layers, config.heads, mlp_ratio=4.0, output_tokens=True)
    return visual, config.width


def _tower(name: str, pretrained: str | None, canvas: int) -> tuple[nn.Module, int]:
    with loading(f"vision.name = {name}", "Check the name, the folder or the network"):
        known = {**(open_clip.get_model_config(name) or {}).get("vision_cfg", {})}
    if not isinstance(known.get("layers"), int):
        problem = f"vision.name = {name} is not a vision transformer that open_clip knows"
        raise ConfigError(problem, hint="For example ViT-L-14, or leave it out for a new encoder")
    side = known.get("image_size", 224)
    if side != canvas:
        raise ConfigError(f"{name} sees {side} px, the canvas has {canvas} px", hint=f"Set canvas to {side}")
    check_name(pretrained or "")
    check_vision(name, pretrained)
    with loading(f"vision.pretrained = {pretrained} of {name}", "Check the tag and the network, or give a safetensors file"):
        model = open_clip.create_model(name, pretrained=pretrained)
        model.visual.output_tokens = True
        return model.visual, int(known["width"])


def _language(config: LanguageConfig, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    if config.path is None:
        return _extended(OPTForCausalLM(_shape(config, tokenizer)), tokenizer)
    _check_published(config)
    with loading(f"language model {config.path!r} (language.path)", _PUBLISHED):
        safe = True if os.path.isdir(config.path) else None  # of the hub's, some have nothing but pickles: MPT-1B
        language = AutoModelForCausalLM.from_pretrained(config.path, use_safetensors=safe, **_at(config))
        if not hasattr(language, "get_input_embeddings") or "mpt-1b" in config.path:
            extend_instance(language, _MptEmbeddings)
        return _extended(language, tokenizer)


def _shape(config: LanguageConfig, tokenizer: PreTrainedTokenizerBase) -> OPTConfig:
    return OPTConfig(  # type: ignore[call-arg]
        vocab_size=len(tokenizer),
        hidden_size=config.width,
        word_embed_proj_dim=config.width,
        ffn_dim=3 * config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=128,
        dropout=0.0,
        attn_implementation="eager",  # plain products beat the fused CPU kernels on sequences this short
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _extended(language: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """With what Flamingo needs of a language model, for all pieces of the tokenizer."""
    extend_instance(language, LanguageMixin)
    try:
        layers = _infer_decoder_layers_attr_name(language)
    except ValueError as error:
        problem = f"language.path names a {type(language).__name__}, between whose layers open_flamingo can put nothing"
        raise ConfigError(problem, hint="Give an OPT, LLaMA, GPT-J, GPT-NeoX or MPT model") from error
    cast(Any, language).set_decoder_layers_attr_name(layers)
    if cast(nn.Embedding, language.get_input_embeddings()).num_embeddings != len(tokenizer):
        language.resize_token_embeddings(len(tokenizer))
    return language


class _MptEmbeddings:
    """MPT-1B has no accessor for its embeddings; transformers needs one."""

    def get_input_embeddings(self) -> nn.Module:
        return cast(nn.Module, self.transformer.wte)  # type: ignore[attr-defined]

    def set_input_embeddings(self, embeddings: nn.Module) -> None:
        self.transformer.wte = embeddings  # type: ignore[attr-defined]


def _at(config: LanguageConfig) -> dict[str, Any]:
    """Files and code of one commit. Without `code_revision`, code that another repository lends would be the newest there."""
    return {"revision": config.revision, "code_revision": config.revision, "trust_remote_code": config.trust_remote_code}


def _check_published(config: LanguageConfig) -> None:
    """Whether code may run is for the environment to say: a configuration can be a stranger's, since every saved model holds one."""
    check_name(config.path or "")
    check_language(config.path or "")
    if not config.trust_remote_code:
        return
    if not config.revision or f"{config.path}@{config.revision}" not in map(str.strip, os.environ.get(REMOTE_CODE, "").split(",")):
        raise ConfigError(
            f"{config.path} is to run code from its repository (language.trust_remote_code), which the environment does not allow",
            hint=f"Read that code, pin its commit in language.revision and set {REMOTE_CODE}={config.path}@COMMIT, or turn it off",
        )


def _resize(network: FlamingoNetwork, architecture: Architecture, vision_width: int) -> None:
    """Replace the resampler and the cross-attention, whose sizes the library fixes, when the architecture wants others."""
    resampler, cross = architecture.resampler, architecture.cross_attention
    network.perceiver = PerceiverResampler(
        dim=vision_width, depth=resampler.depth, dim_head=resampler.head_width, heads=resampler.heads, num_latents=resampler.latents
    )
    language = network.lang_encoder
    for index, layer in enumerate(language.gated_cross_attn_layers):
        if layer is None:
            continue
        block = GatedCrossAttentionBlock(dim=network.lang_dim, dim_visual=vision_width, dim_head=cross.head_width, heads=cross.heads)
        with torch.no_grad():
            block.attn_gate.fill_(cross.gate)
            block.ff_gate.fill_(cross.gate)
        language.gated_cross_attn_layers[index] = block
    language.init_flamingo_layers(False)
