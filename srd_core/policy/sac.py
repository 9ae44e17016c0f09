"""Discrete soft actor-critic of mask placement (Christodoulou, 2019): the paper's third algorithm, on one page.

The actor is a Q-map read as logits, the two critics are Q-maps, and "no mask" is worth 0 to both by definition of the environment.
Uniform replay, an entropy target as a share of the largest possible entropy, its weight learned. What comes out takes the
actor's largest. The same actions, images and number of environment steps as the others.
"""

from __future__ import annotations

import copy
import math
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from srd_core.errors import TrainingError
from srd_core.policy.curve import LearningCurve
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import Actions, MaskingEnvironment, State, refilled
from srd_core.policy.learned import LearnedPolicy, as_tensor
from srd_core.policy.qnetwork import NetworkShape, QNetwork
from srd_core.policy.recorder import CurveRecorder, Progress
from srd_core.policy.replay import BalancedReplay, ReplayBatch
from srd_core.seeds import derive, generator

TARGET_ENTROPY = 0.7
"""Share of the logarithm of the number of actions."""
FOLLOW = 0.005
"""How fast the target critics follow."""

HASTE = 10.0
"""How much faster than the networks the weight of entropy learns. At their rate its logarithm falls by that rate an update at most: in the
2,500 updates of profile `scenes` from 1 to no less than 0.08."""


def train(
    env: MaskingEnvironment,
    config: DqnConfig,
    *,
    seed: int,
    progress: Progress | None = None,
    held_out: MaskingEnvironment | None = None,
) -> tuple[LearnedPolicy, LearningCurve]:
    """Like `dqn.train`; of the settings, those of epsilon, balance and the target network play no part.

    Raises:
        TrainingError: no gradient step was taken, or the loss is not finite.
    """
    return _Run(env, config, seed).play(progress, held_out)


class _Run:
    """State of one training run."""

    def __init__(self, env: MaskingEnvironment, config: DqnConfig, seed: int) -> None:
        self.env, self.config, self.space = env, config, env.space
        self.rng = generator(seed, "sac")
        shape = NetworkShape(grid=self.space.grid, sizes=len(self.space.sizes), width=config.width, duelling=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "sac"))
            self.actor, *self.critics = [QNetwork(shape) for _ in range(3)]
        self.targets = copy.deepcopy(self.critics)
        self.weight = torch.zeros((), requires_grad=True)
        self.policy = LearnedPolicy(self.actor, self.space, reads="preferences")
        rate = config.learning_rate / 2
        networks = [*self.actor.parameters(), *chain.from_iterable(critic.parameters() for critic in self.critics)]
        groups: list[dict[str, Any]] = [{"params": networks}, {"params": [self.weight], "lr": HASTE * rate}]
        self.learning, self.optimizer = [*networks, self.weight], torch.optim.Adam(groups, rate)
        self.replay = BalancedReplay(config.capacity, balance=0.0, rng=self.rng)
        self.updates = 0

    def play(self, progress: Progress | None, held_out: MaskingEnvironment | None) -> tuple[LearnedPolicy, LearningCurve]:
        """The whole run."""
        config, record = self.config, CurveRecorder(self.policy, self.config, progress, held_out)
        fresh = self.env.unmasked(self.rng)
        states = list(islice(fresh, min(config.envs, config.steps)))
        step = 0
        while step < config.steps:
            states = states[: config.steps - step]
            actions = self._draw(states, step)
            outcome = self.env.step(states, actions)
            self.replay.add(states, actions, outcome.rewards, outcome.states, outcome.done)
            states = refilled(outcome, fresh)
            step += len(actions)
            losses = [self._update() for _ in range(config.updates_per_step)] if step >= config.learning_starts else []
            record.add(step, outcome.rewards, losses)
        if not self.updates:
            raise TrainingError(f"no gradient step was taken in {step} steps", hint="Lower learning_starts or raise steps")
        return self.policy, LearningCurve(tuple(record.points), step, self.updates)

    def _draw(self, states: list[State], step: int) -> Actions:
        """Any action before learning starts, then one as the actor has it."""
        if step < self.config.learning_starts:
            return self.rng.integers(self.space.count, size=len(states))
        with torch.no_grad():
            scores = _with_none(self.actor(as_tensor(self.env.render(states)))).numpy()
        return np.asarray((scores + self.rng.gumbel(size=scores.shape)).argmax(axis=1), np.int64)

    def _update(self) -> float:
        """One gradient step for all; returns the critics' loss."""
        batch = self.replay.sample(self.config.batch, companions=False)
        planes = as_tensor(self.env.render(batch.states))
        rows, actions = torch.from_numpy(batch.rows), torch.from_numpy(batch.actions)
        wanted = self._wanted(batch)
        values = [_with_none(critic(planes)) for critic in self.critics]
        errors = sum((F.huber_loss(value[rows, actions], wanted) for value in values), torch.zeros(()))
        log_chances = _with_none(self.actor(planes)).log_softmax(dim=1)
        chances, worth = log_chances.exp(), torch.minimum(*values).detach()
        entropy = -(chances * log_chances).sum(dim=1).mean()
        acting = -(chances * worth).sum(dim=1).mean() - self.weight.exp().detach() * entropy
        balance = self.weight * (entropy.detach() - TARGET_ENTROPY * math.log(self.space.count))
        self.optimizer.zero_grad()
        (errors + acting + balance).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.learning, self.config.clip)
        self.optimizer.step()
        self.updates += 1
        with torch.no_grad():
            for target, critic in zip(self.targets, self.critics, strict=True):
                for slow, fast in zip(target.parameters(), critic.parameters(), strict=True):
                    slow.lerp_(fast, FOLLOW)
        if not math.isfinite(value := errors.item()):
            raise TrainingError(f"the critics' loss became {value}", hint="Lower learning_rate, and look at the rewards")
        return value

    @torch.no_grad()
    def _wanted(self, batch: ReplayBatch) -> Tensor:
        """Reward plus the discounted soft value of what follows."""
        wanted = torch.from_numpy(batch.rewards).clone()
        going = np.flatnonzero(~batch.done)
        if len(going):
            planes = as_tensor(self.env.render([batch.after[i] for i in going]))
            log_chances = _with_none(self.actor(planes)).log_softmax(dim=1)
            worth = torch.minimum(*(_with_none(target(planes)) for target in self.targets))
            soft = (log_chances.exp() * (worth - self.weight.exp() * log_chances)).sum(dim=1)
            wanted[torch.from_numpy(going)] += self.config.gamma * soft
        return wanted


def _with_none(masks: Tensor) -> Tensor:
    """A column of 0 for "no mask" behind those of the masks."""
    return torch.cat([masks, masks.new_zeros(len(masks), 1)], dim=1)
