"""Memory of steps taken, and batches from it in which rewarded steps are not drowned by the others.

A random mask improves a caption two or three times in a hundred, so uniform replay teaches "nothing helps". Steps are kept by number
(image, masks so far, action): pictures are stored once, elsewhere, and rendered when needed. All steps known for a state share one
forward pass: the network gives every action's value at once, so they cost nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from srd_core.policy.environment import Actions, Rewards, State


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """K steps from B states: step k was `actions[k]` in `states[rows[k]]`. `weights` add up to 1."""

    states: list[State]
    rows: npt.NDArray[np.int64]
    actions: Actions
    rewards: Rewards
    after: list[State]
    done: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float32]


class BalancedReplay:
    """A ring of `capacity` steps. `balance` is the least share of weight that steps with reward > 0 get in a batch."""

    def __init__(self, capacity: int, *, balance: float, rng: np.random.Generator) -> None:
        self._capacity, self._balance, self._rng = capacity, balance, rng
        self._before: list[State] = []
        self._after: list[State] = []
        self._actions = np.zeros(capacity, np.int64)
        self._rewards = np.zeros(capacity, np.float32)
        self._done = np.zeros(capacity, np.bool_)
        self._slots_of: dict[State, list[int]] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._before)

    def add(self, states: Sequence[State], actions: Actions, rewards: Rewards, after: Sequence[State], done: npt.NDArray[np.bool_]) -> None:
        """Remember a batch of steps; the oldest are forgotten when the ring is full."""
        for state, action, reward, following, end in zip(states, actions, rewards, after, done, strict=True):
            slot = self._next
            if slot < len(self):
                self._forget(slot)
                self._before[slot], self._after[slot] = state, following
            else:
                self._before.append(state)
                self._after.append(following)
            self._actions[slot], self._rewards[slot], self._done[slot] = action, reward, end
            self._slots_of.setdefault(state, []).append(slot)
            self._next = (slot + 1) % self._capacity

    def _forget(self, slot: int) -> None:
        state = self._before[slot]
        self._slots_of[state].remove(slot)
        if not self._slots_of[state]:
            del self._slots_of[state]

    def sample(self, size: int, *, companions: bool = True) -> ReplayBatch:
        """Up to `size` different states, drawn by their steps, a `balance` share of them rewarded.

        With `companions` all steps known for those states come along, otherwise only the steps drawn: better when each step's next state
        has to be valued too.
        """
        if not len(self):
            raise IndexError("nothing to replay yet")
        earned = self._rewards[: len(self)] > 0
        rewarded, others = np.flatnonzero(earned), np.flatnonzero(~earned)
        share = max(self._balance if len(rewarded) else 0.0, len(rewarded) / len(self))
        first = round(size * share)
        drawn = np.concatenate([self._rng.choice(pool, count) for pool, count in ((rewarded, first), (others, size - first)) if len(pool)])
        slots_of: dict[State, list[int]] = {}
        for slot in dict.fromkeys(drawn.tolist()):
            slots_of.setdefault(self._before[slot], []).append(slot)
        if companions:
            slots_of = {state: self._slots_of[state] for state in slots_of}
        rows = np.repeat(np.arange(len(slots_of)), [len(slots) for slots in slots_of.values()])
        flat = np.asarray([slot for slots in slots_of.values() for slot in slots], np.int64)
        good = earned[flat]
        weights = np.where(good, share / max(good.sum(), 1), (1 - share) / max((~good).sum(), 1)).astype(np.float32)
        return ReplayBatch(
            states=list(slots_of),
            rows=rows,
            actions=self._actions[flat],
            rewards=self._rewards[flat],
            after=[self._after[slot] for slot in flat],
            done=self._done[flat],
            weights=weights / weights.sum(),
        )
