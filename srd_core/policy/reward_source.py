"""Rewards from captions: what the victim says about a masked image, scored against the reference caption, compared with the unmasked image.

Captioning is nearly all of the cost, so states are captioned many at a time and nothing is captioned twice: a caption depends on the image
and on the set of masks, not on their order. Not here: the score (`srd_core.reward.sfs`) and the rule (`srd_core.reward.rule`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from srd_core.data.samples import Images
from srd_core.errors import ConfigError
from srd_core.policy.environment import Rewards, State
from srd_core.policy.masks import ActionSpace, draw_batch
from srd_core.reward.rule import RewardRule, reward
from srd_core.reward.sfs import SfsScores


class Speaker(Protocol):
    """The part of a captioner that a reward needs."""

    def caption(self, images: Images) -> list[str]:
        """One caption an image, deterministic."""
        ...


class Fidelity(Protocol):
    """The part of `SemanticFidelity` that a reward needs."""

    def score(self, candidates: Sequence[str], references: Sequence[str]) -> SfsScores:
        """Scores of `candidates[i]` against `references[i]`."""
        ...


class _Heard(NamedTuple):
    """Scores of one caption; `empty` when the victim said nothing."""

    sc: float
    lf: float
    empty: bool


_Key = tuple[int, frozenset[int]]


class CaptionReward:
    """A `RewardSource` that asks a captioner.

    Args:
        captioner: the (sparring) victim.
        fidelity: scores captions.
        references: one reference caption for each image.
        rule: turns score changes into rewards.
        images: (M, S, S, 3) uint8, unmasked, as the captioner takes them.
        space: actions.
        batch: images in one captioner call.

    `calls` counts captioner calls, `captions` images captioned, `hits` states answered from memory.
    """

    def __init__(
        self,
        captioner: Speaker,
        fidelity: Fidelity,
        references: Sequence[str],
        rule: RewardRule,
        images: Images,
        space: ActionSpace | None = None,
        *,
        batch: int = 256,
    ) -> None:
        if len(references) != len(images):
            raise ConfigError(f"{len(references)} reference captions for {len(images)} images", hint="Give exactly one for each image")
        self._captioner, self._fidelity, self._references = captioner, fidelity, references
        self._rule, self._images, self._batch = rule, images, batch
        self._space = space or ActionSpace()
        self._heard: dict[_Key, _Heard] = {}
        self.calls = self.captions = self.hits = 0

    def rewards(self, states: Sequence[State]) -> Rewards:
        """Reward of each state against its unmasked image, (N,) float32. States without masks earn 0."""
        keys: list[_Key] = [(state.image, frozenset(state.masks)) for state in states]
        self.hits += sum(key in self._heard for key in keys)
        masked = [key for key in keys if key[1]]
        wanted = dict.fromkeys([*((image, frozenset[int]()) for image, _ in masked), *masked])
        self._listen([key for key in wanted if key not in self._heard])
        silent = _Heard(0.0, 0.0, True)
        after = [self._heard.get(key, silent) for key in keys]
        before = [self._heard.get((image, frozenset()), silent) for image, _ in keys]
        return reward(
            np.asarray([heard.sc for heard in after]),
            np.asarray([heard.lf for heard in after]),
            np.asarray([heard.sc for heard in before]),
            np.asarray([heard.lf for heard in before]),
            self._rule,
            no_mask=np.asarray([not masks for _, masks in keys], np.bool_),
            empty=np.asarray([heard.empty for heard in after], np.bool_),
        )

    def _listen(self, keys: Sequence[_Key]) -> None:
        """Caption and score these states, and remember the scores."""
        for start in range(0, len(keys), self._batch):
            part = keys[start : start + self._batch]
            numbers = [image for image, _ in part]
            drawn = draw_batch(self._images[numbers], self._space.padded([sorted(masks) for _, masks in part]), self._space)
            said = self._captioner.caption(drawn)
            scores = self._fidelity.score(said, [self._references[number] for number in numbers])
            for key, text, sc, lf in zip(part, said, scores.sc.tolist(), scores.lf.tolist(), strict=True):
                self._heard[key] = _Heard(sc, lf, not text.strip())
            self.calls += 1
            self.captions += len(part)
