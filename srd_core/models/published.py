"""OpenFlamingo's published weights: resampler, gated cross-attention and embeddings, which go over CLIP and a language model.

The library publishes a pickled state dict of what it trained. SRD reads no pickle: whoever wants these weights writes them as safetensors
first, under the names that they have (docs/experiments.md has the command).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from srd_core.errors import ConfigError
from srd_core.models.network import FlamingoNetwork

_NAMED = 3
"""Weights that a message names."""
_LEAST = 2
"""Bytes of a number: fewer are of a quantised file, whose scales are elsewhere."""
_SAME = "The architecture has to be the published model's: vision.name, language.path, resampler and cross_attention.every"


def load_published(network: FlamingoNetwork, path: Path) -> None:
    """Put the weights of the safetensors file at `path` into `network`; where it is silent, CLIP and language model stay as they are.

    Raises:
        ConfigError: it is no safetensors file, has weights that the network has not, in another shape, quantised or not finite, or lacks
            any of the resampler's or the cross-attention's, which would then be new and untrained.
    """
    try:
        given = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path} cannot be read as safetensors: {error}", hint="A .pt file has to be converted first") from error
    own = network.state_dict()
    _refuse("holds what the network has not", path, (name for name in given if name not in own))
    _refuse("has another shape for", path, (name for name, weight in given.items() if weight.shape != own[name].shape))
    _refuse("has no finite floating-point numbers for", path, (name for name, weight in given.items() if not _is_usable(weight)))
    _refuse("lacks", path, _untouched(network, own, given))
    network.load_state_dict(given, strict=False)


def _is_usable(weight: Tensor) -> bool:
    return weight.is_floating_point() and weight.element_size() >= _LEAST and bool(weight.isfinite().all())


def _untouched(network: FlamingoNetwork, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    """Weights between images and text that the file has under none of their names: a block's are found in its layer too."""
    there = {own[name].data_ptr() for name in given}
    for name, weight in network.named_parameters():
        if (name.startswith("perceiver.") or "gated_cross_attn" in name) and weight.data_ptr() not in there:
            yield name


def _refuse(what: str, path: Path, names: Iterator[str]) -> None:
    found = sorted(names)
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ConfigError(f"{path} {what}: {', '.join(found[:_NAMED])}{more}", hint=_SAME)
