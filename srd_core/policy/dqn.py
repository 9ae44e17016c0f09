"""Deep Q-learning of mask placement, on one page (paper, "Optimizing Intervention Policies with Semantic Rewards").

Differences from the paper and its code, all for the sake of a reward that a random mask earns in 2-3 % of the cases:
"no mask" is an action whose value is fixed at 0, its true value; double and duelling; replay balanced by reward; exploration that never
repeats an action on an image (the answer is known) and follows the Q-map; every gradient step sees its states mirrored and turned at
random (a trigger is one whichever way up); a learning phase that cannot silently be empty.
Not here: the reward, and any use of the policy.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice

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
from srd_core.policy.symmetry import TURNS
from srd_core.seeds import derive, generator


def train(
    env: MaskingEnvironment,
    config: DqnConfig,
    *,
    seed: int,
    progress: Progress | None = None,
    held_out: MaskingEnvironment | None = None,
) -> tuple[LearnedPolicy, LearningCurve]:
    """Learn a policy on `env`; `held_out` is only measured. The same arguments give the same weights on the same machine.

    Raises:
        TrainingError: no gradient step was taken, or the loss is not finite.
    """
    return _Run(env, config, seed).play(progress, held_out)


class _Run:
    """State of one training run."""

    def __init__(self, env: MaskingEnvironment, config: DqnConfig, seed: int) -> None:
        self.env, self.config, self.space = env, config, env.space
        self.rng = generator(seed, "dqn")
        shape = NetworkShape(grid=self.space.grid, sizes=len(self.space.sizes), width=config.width, duelling=config.duelling)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, "q-network"))
            self.online, self.target = QNetwork(shape), QNetwork(shape)
        self.target.load_state_dict(self.online.state_dict())
        self.policy = LearnedPolicy(self.online, self.space)
        self.optimizer = torch.optim.Adam(self.online.parameters(), config.learning_rate)
        self.replay = BalancedReplay(config.capacity, balance=config.balance, rng=self.rng)
        self.tried: dict[State, list[int]] = {}
        self.updates = 0

    def play(self, progress: Progress | None, held_out: MaskingEnvironment | None) -> tuple[LearnedPolicy, LearningCurve]:
        """The whole run. Captions are made in another thread while the network learns from the steps before: one batch late, in any run."""
        with ThreadPoolExecutor(1, thread_name_prefix="environment") as aside:
            return self._play(aside, progress, held_out)

    def _play(self, aside: Executor, progress: Progress | None, held_out: MaskingEnvironment | None) -> tuple[LearnedPolicy, LearningCurve]:
        config, record = self.config, CurveRecorder(self.policy, self.config, progress, held_out)
        fresh = self.env.unmasked(self.rng)
        states = list(islice(fresh, min(config.envs, config.steps)))
        step = 0
        while step < config.steps:
            epsilon = config.epsilon(step)
            states = states[: config.steps - step]
            actions = self._explore(states, epsilon)
            answer = aside.submit(self.env.step, states, actions)
            learns = step >= config.learning_starts and len(self.replay) > 0
            losses = [self._update(step) for _ in range(config.updates_per_step if learns else 0)]
            outcome = answer.result()
            self.replay.add(states, actions, outcome.rewards, outcome.states, outcome.done)
            states = refilled(outcome, fresh)
            step += len(actions)
            record.add(step, outcome.rewards, losses, epsilon)
        if not self.updates:
            raise TrainingError(
                f"no gradient step was taken in {step} steps: learning_starts is {config.learning_starts}",
                hint="Lower learning_starts or raise steps; a policy that never learned is a random one",
            )
        return self.policy, LearningCurve(tuple(record.points), step, self.updates)

    def _explore(self, states: list[State], epsilon: float) -> Actions:
        """With probability `epsilon` any mask, otherwise a Boltzmann draw from the Q-map; never one tried before in that state."""
        count = (len(states), self.space.masks)
        scores = self.rng.gumbel(size=count)
        led = self.rng.random(len(states)) >= epsilon
        if led.any():
            values = self.policy.map(self.env.render([state for state, use in zip(states, led, strict=True) if use]))
            scores[led] = values + self.config.temperature * scores[led]
        actions = np.zeros(len(states), np.int64)
        for row, state in enumerate(states):
            known = self.tried.setdefault(state, [])
            if len({*known, *state.masks}) == self.space.masks:
                known.clear()
            scores[row, [*known, *state.masks]] = -np.inf
            actions[row] = scores[row].argmax()
            known.append(int(actions[row]))
        return actions

    def _update(self, step: int) -> float:
        """One gradient step; returns its loss."""
        rate = 0.55 + 0.45 * math.cos(math.pi * min(step / self.config.steps, 1.0))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * rate
        batch = self.replay.sample(self.config.batch, companions=self.env.max_masks == 1)
        values = self._turned(as_tensor(self.env.render(batch.states)))
        taken = values[torch.from_numpy(batch.rows), torch.from_numpy(batch.actions)]
        errors = F.huber_loss(taken, self._targets(batch), reduction="none")
        loss = (errors * torch.from_numpy(batch.weights)).sum()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.online.parameters(), self.config.clip)
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.config.target_update == 0:
            self.target.load_state_dict(self.online.state_dict())
        if not math.isfinite(value := loss.item()):
            raise TrainingError(f"the loss became {value} at environment step {step}", hint="Lower learning_rate, and look at the rewards")
        return value

    def _turned(self, planes: Tensor) -> Tensor:
        """Values of every mask, (N, masks), as the online network sees a copy of `planes` in one of the square's eight positions."""
        turn = TURNS[int(self.rng.integers(len(TURNS)))]
        return turn.undo(self.policy.grids(self.online(turn.apply(planes)))).flatten(1)

    @torch.no_grad()
    def _targets(self, batch: ReplayBatch) -> Tensor:
        """Reward plus the discounted value of the best next action; stopping with "no mask" is always possible, so never below 0."""
        targets = torch.from_numpy(batch.rewards).clone()
        going = np.flatnonzero(~batch.done)
        if len(going):
            planes = as_tensor(self.env.render([batch.after[i] for i in going]))
            values = self.target(planes)
            picked = (self.online(planes) if self.config.double else values).argmax(1, keepdim=True)
            targets[torch.from_numpy(going)] += self.config.gamma * values.gather(1, picked).squeeze(1).clamp_min(0)
        return targets
