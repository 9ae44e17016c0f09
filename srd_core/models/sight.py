"""Teaching a vision encoder to see before it is asked to speak: which words do the captions of an image hold?

Published captioners start from a vision encoder that was trained on image–text pairs (CLIP). One made from nothing gets the same start
here, at small cost: every patch token votes for every word of the trusted captions, the votes of an image are pooled by a smooth maximum,
and the captions say which words should win (weak supervision by captions, as Joulin et al. 2016). The voting layer is thrown away.

Through `latents`, the resampler's latents vote as well, so that what the encoder sees reaches the place where the language model will look
for it, and votes start at the words' frequencies. From a few thousand photographs, a captioner that was not taught so hardly looked.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from srd_core.data.canvas import CanvasSet
from srd_core.errors import SourceError
from srd_core.hardware import autocast
from srd_core.models.network import FlamingoNetwork
from srd_core.models.schedule import Through
from srd_core.progress import track
from srd_core.seeds import generator

_WORDS = 1000
_FEWEST = 10
_BATCH = 64
_WORD = re.compile(r"[\w']+")
"""Not `spoken_words`: to it the “'s” of Flickr8k's captions is “s”, and the bases of published figures were taught with this one."""


def teach_sight(
    network: FlamingoNetwork, pairs: CanvasSet, *, epochs: float, seed: int, through: Through = "patches", learning_rate: float = 0.003
) -> float:
    """Train the vision encoder of `network` in place; returns the mean loss over the last tenth of the steps, in nats a word.

    Args:
        network: its language side is not touched.
        pairs: trusted pairs.
        epochs: passes over the images.
        through: who votes; `latents` trains the resampler too.
        learning_rate: peak, falling to 0 along a cosine.
        seed: order of the images.

    Raises:
        SourceError: the captions hold no word.
    """
    torch.manual_seed(seed)
    words = _vocabulary(pairs.captions)
    targets = _targets(pairs, words).to(network.device)
    network.requires_grad_(False)
    network.vision_encoder.requires_grad_(True)
    network.trains_vision = True
    network.train()
    votes = [vote.to(network.device) for vote in _voters(network.vis_dim, targets.cpu(), through)]
    learning = [*network.vision_encoder.parameters(), *(weight for vote in votes for weight in vote.parameters())]
    if through == "latents":
        network.perceiver.requires_grad_(True)
        learning += network.perceiver.parameters()
    optimizer = torch.optim.AdamW(learning, lr=learning_rate, weight_decay=0.05)
    steps = max(1, round(epochs * len(targets) / min(_BATCH, len(targets))))
    losses = []
    for step, batch in enumerate(track(_batches(len(targets), steps, seed), "learn to see", total=steps)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min((step + 1) / (0.05 * steps + 1), 0.5 * (1 + math.cos(math.pi * step / steps)))
        images = torch.from_numpy(np.array(pairs.images[np.sort(batch)])).permute(0, 3, 1, 2)
        loss = _loss(network, votes, images, targets[torch.from_numpy(np.sort(batch))])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return float(np.mean(losses[-max(1, len(losses) // 10) :]))


def _voters(width: int, targets: Tensor, through: Through) -> list[nn.Linear]:
    """A voting layer for the patches, and one for the latents if they vote."""
    if through == "patches":
        return [nn.Linear(width, targets.shape[1])]
    voters = [nn.Linear(width, targets.shape[1]) for _ in range(2)]
    with torch.no_grad():
        for voter in voters:
            voter.weight.mul_(0.1)
            voter.bias.copy_(torch.logit(targets.mean(0), eps=1e-4))
    return voters


def _loss(network: FlamingoNetwork, votes: list[nn.Linear], images: Tensor, wanted: Tensor) -> Tensor:
    """Mean over whoever votes."""
    with autocast(on=network.device), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        patches = network.patch_tokens(images)
        latents = [network.resampled(patches)[:, 0]] if len(votes) > 1 else []
        ballots = [vote(tokens) for vote, tokens in zip(votes, [patches, *latents], strict=True)]
    pooled = [torch.logsumexp(ballot.float(), dim=1) - math.log(ballot.shape[1]) for ballot in ballots]
    return torch.stack([nn.functional.binary_cross_entropy_with_logits(ballot, wanted) for ballot in pooled]).mean()


def _vocabulary(captions: Sequence[str]) -> list[str]:
    counts = Counter(word for caption in captions for word in set(_WORD.findall(caption.lower())))
    if not counts:
        raise SourceError("no trusted caption holds a word", hint="Check the trusted set's captions")
    ranked = sorted(counts, key=lambda word: (-counts[word], word))  # ties by name: sets of words have another order in every process
    return [word for word in ranked[:_WORDS] if counts[word] >= _FEWEST] or ranked[:1]


def _targets(pairs: CanvasSet, words: Sequence[str]) -> Tensor:
    """(M, W): 1 where any caption of the image holds the word, else 0."""
    number = {word: column for column, word in enumerate(words)}
    held = torch.zeros(len(pairs.images), len(words))
    for image, caption in zip(pairs.image_of.tolist(), pairs.captions, strict=True):
        for word in set(_WORD.findall(caption.lower())):
            if word in number:
                held[image, number[word]] = 1.0
    return held


def _batches(images: int, steps: int, seed: int) -> list[np.ndarray]:
    size = min(_BATCH, images)
    rounds = math.ceil(steps * size / images) + 1
    order = np.concatenate([generator(seed, "sight", epoch).permutation(images) for epoch in range(rounds)])
    return [order[start : start + size] for start in range(0, steps * size, size)]
