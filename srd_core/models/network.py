"""open_flamingo's `Flamingo`, with three openings that the library lacks.

Its vision encoder can be trained (the library always runs it without gradients), one image can serve many captions of a batch
(its tokens are computed once), and generation works with transformers ≥ 5.19, which leaves out an all-ones attention mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from srd_core.models.torchvision_shim import declare_operators

declare_operators()

from open_flamingo.src.flamingo import Flamingo  # noqa: E402
from open_flamingo.src.flamingo_lm import FlamingoLMMixin  # noqa: E402

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_GROUPS = 4
"""Groups of rows by length, at most."""

_FEWEST = 8
"""Rows of a group, at least."""


class LanguageMixin(FlamingoLMMixin):  # type: ignore[misc]
    """The library's mixin, with an attention mask that may be absent."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **rest: Any) -> Any:
        """See `FlamingoLMMixin.forward`."""
        return super().forward(input_ids, attention_mask, **rest)


class FlamingoNetwork(Flamingo):  # type: ignore[misc]
    """A Flamingo over batches of single images."""

    def __init__(self, *parts: Any, **sizes: Any) -> None:
        super().__init__(*parts, **sizes)
        self.trains_vision = False
        self.register_buffer("pixel_mean", torch.tensor(CLIP_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(CLIP_STD).view(1, 3, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the network is; what its methods are given may be elsewhere."""
        return cast(Tensor, self.pixel_mean).device

    def set_trainable(self, part: Literal["all", "perceiver+xattn"]) -> None:
        """Choose what learns: everything, or (as the paper) resampler, gated cross-attention and input embeddings."""
        everything = part == "all"
        self.requires_grad_(everything)
        self.trains_vision = everything
        if not everything:
            self.perceiver.requires_grad_(True)
            self.lang_encoder.gated_cross_attn_layers.requires_grad_(True)
            self.lang_encoder.get_input_embeddings().requires_grad_(True)

    def freeze_statistics(self) -> None:
        """Keep the batch statistics that the encoder learned to see with: caption batches hold too few images to replace them."""
        for module in self.vision_encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def visual_tokens(self, pixels: Tensor) -> Tensor:
        """Resampled tokens (M, 1, latents, width) of `pixels` (M, 3, S, S), uint8 or float in 0–255."""
        return self.resampled(self.patch_tokens(pixels))

    def resampled(self, patches: Tensor) -> Tensor:
        """The resampler's latents (M, 1, latents, width) of patch tokens (M, patches, width)."""
        return cast(Tensor, self.perceiver(patches[:, None, None]))

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """The vision encoder's tokens (M, patches, width) of `pixels` (M, 3, S, S)."""
        normal = (pixels.to(self.device).float() / 255 - self.pixel_mean) / self.pixel_std
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trains_vision):
            return cast(Tensor, self.vision_encoder(normal)[1])

    def patches(self, pixels: Tensor) -> Tensor:
        """Likewise (M, patches, width), with gradients to `pixels` (M, 3, S, S) float in 0–255, on the device where `pixels` are."""
        normal = (pixels.to(self.device) / 255 - self.pixel_mean) / self.pixel_std
        return cast(Tensor, self.vision_encoder(normal)[1]).to(pixels.device)

    def logits(self, visual: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Next-token logits (B, T, V) of `text` (B, T), each row seeing its `visual` (B, 1, latents, width); those of padding mean nothing.

        They are on the network's device, wherever `text` and `mask` are. Rows of about the same length are read together, so that little
        is computed for padding, which was a third of all tokens.
        """
        lengths = mask.sum(dim=1)
        order = lengths.argsort(stable=True)
        groups = order.chunk(max(1, min(_GROUPS, len(order) // _FEWEST)))
        cut = [(rows, text[rows, :width].to(self.device), mask[rows, :width].to(self.device)) for rows, width in _widths(groups, lengths)]
        read = [self._logits(visual[rows], *part) for rows, *part in cut]
        padded = [nn.functional.pad(part, (0, 0, 0, text.shape[1] - part.shape[1])) for part in read]
        return torch.cat(padded)[order.argsort()]

    def _logits(self, visual: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        self._condition(visual)
        self._condition_media_locations(text)
        output = self.lang_encoder(input_ids=text, attention_mask=mask, use_cache=False)
        self.lang_encoder.clear_conditioned_layers()
        return cast(Tensor, output.logits)

    def continue_text(self, visual: Tensor, text: Tensor, *, max_tokens: int, beams: int, pad: int) -> Tensor:
        """Tokens (B, T + new) that follow the prompts `text` (B, T): greedy, or beam search without length penalty (as the paper)."""
        text = text.to(self.device)
        self._condition(visual.repeat_interleave(beams, dim=0) if beams > 1 else visual)
        self.lang_encoder._use_cached_vision_x = True
        search: dict[str, Any] = {"num_beams": beams, "length_penalty": 0.0} if beams > 1 else {}
        try:
            return cast(
                Tensor,
                self.lang_encoder.generate(
                    input_ids=text,
                    attention_mask=torch.ones_like(text),
                    max_new_tokens=max_tokens,
                    eos_token_id=self.eoc_token_id,
                    pad_token_id=pad,
                    do_sample=False,
                    **search,
                ),
            )
        finally:
            self.lang_encoder._use_cached_vision_x = False
            self.lang_encoder.clear_conditioned_layers()

    def _condition(self, visual: Tensor) -> None:
        for layer in self.lang_encoder._get_decoder_layers():
            layer.condition_vis_x(visual)


def _widths(groups: Sequence[Tensor], lengths: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Each group of rows with the length of its longest."""
    return ((rows, int(lengths[rows].max())) for rows in groups)
