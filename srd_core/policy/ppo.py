"""Proximal policy optimisation of mask placement, by stable-baselines3 (needs the extra `bench`): the paper's second algorithm.

The actor's network is the one whose map the DQN learns, read as logits; the logit of "no mask" is 0. What comes out is a `LearnedPolicy`
that takes the largest. The same actions, images and number of environment steps as the others.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from srd_core.errors import ConfigError
from srd_core.policy.curve import LearningCurve
from srd_core.policy.dqn_config import DqnConfig
from srd_core.policy.environment import MaskingEnvironment, State, refilled
from srd_core.policy.learned import LearnedPolicy
from srd_core.policy.qnetwork import NetworkShape, QNetwork, pooled
from srd_core.policy.recorder import CurveRecorder, Progress
from srd_core.seeds import derive, generator

try:
    from gymnasium import spaces
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.policies import ActorCriticPolicy
    from stable_baselines3.common.type_aliases import PyTorchObs
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ConfigError("policy.kind is ppo, and stable-baselines3 is not installed", hint="pip install 'srd[bench]'") from error

ROLLOUT = 8
"""Steps of every environment between updates."""


def train(
    env: MaskingEnvironment,
    config: DqnConfig,
    *,
    seed: int,
    progress: Progress | None = None,
    held_out: MaskingEnvironment | None = None,
) -> tuple[LearnedPolicy, LearningCurve]:
    """Like `dqn.train`; of the settings, those of exploration and replay play no part, and `envs` is at most what divides the steps.

    Raises:
        ConfigError: nothing divides them.
    """
    envs = _divisor(config.steps, config.envs)
    if envs == 1:
        hint = "Set policy.dqn.steps to a multiple of policy.dqn.envs, and that to two at least"
        raise ConfigError(f"PPO cannot make exactly {config.steps} steps in rounds of 2 to {config.envs} images", hint=hint)
    with torch.random.fork_rng(devices=[]):
        shape = NetworkShape(grid=env.space.grid, sizes=len(env.space.sizes), width=config.width, duelling=False)
        rollout, batch = _divisor(config.steps // envs, ROLLOUT), min(256, envs)
        batches = -(-rollout * envs // batch)  # gradient steps of what the library counts as one update
        learner = PPO(
            MapActorCritic,
            Batches(env, envs, seed),
            learning_rate=config.learning_rate / 4,
            n_steps=rollout,
            batch_size=batch,
            n_epochs=4,
            gamma=config.gamma,
            ent_coef=0.01,
            max_grad_norm=config.clip,
            policy_kwargs={"shape": shape},
            seed=derive(seed, "ppo") % 2**31,
            device="cpu",
        )
        policy = LearnedPolicy(cast(MapActorCritic, learner.policy).map, env.space, reads="preferences")
        record = CurveRecorder(policy, config, progress, held_out)
        learner.learn(config.steps, callback=Listener(record))
        return policy, LearningCurve(tuple(record.points), learner.num_timesteps, learner._n_updates * batches)


class MapActorCritic(ActorCriticPolicy):
    """A `QNetwork` as actor, and a value from its pooled features. Pictures come as (N, 4, S, S) uint8."""

    def __init__(self, *parts: Any, shape: NetworkShape, **rest: Any) -> None:
        self._map_shape = shape
        super().__init__(*parts, **rest)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        self.map = QNetwork(self._map_shape)
        self.worth = nn.Linear(8 * self._map_shape.width, 1)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=lr_schedule(1), eps=1e-5)

    def forward(self, obs: Tensor, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions, values, log-probabilities."""
        chances, values = self._both(obs)
        actions = chances.argmax(dim=1) if deterministic else torch.multinomial(chances.exp(), 1).squeeze(1)
        return actions, values, _taken(chances, actions)

    def evaluate_actions(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values, log-probabilities, entropy."""
        chances, values = self._both(cast(Tensor, obs))
        return values, _taken(chances, actions.flatten()), -(chances.exp() * chances).sum(dim=1)

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """Values alone."""
        return self._both(cast(Tensor, obs))[1]

    def _both(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities of all actions (N, count), and values (N,)."""
        features = self.map.features(obs)
        masks = self.map.values(features)
        logits = torch.cat([masks, masks.new_zeros(len(masks), 1)], dim=1)
        return logits.log_softmax(dim=1), self.worth(pooled(features).float()).squeeze(1)


def _taken(chances: Tensor, actions: Tensor) -> Tensor:
    return chances.gather(1, actions.long().unsqueeze(1)).squeeze(1)


class Batches(VecEnv):
    """`env` as stable-baselines3 sees it: so many images at once, a new one wherever an episode has ended."""

    def __init__(self, env: MaskingEnvironment, count: int, seed: int) -> None:
        side = env.images.shape[1]
        self._env, self._fresh = env, env.unmasked(generator(seed, "ppo", "images"))
        super().__init__(count, spaces.Box(0, 255, (side, side, 4), np.uint8), spaces.Discrete(env.space.count))
        self._states: list[State] = []

    def reset(self) -> np.ndarray:
        """First states."""
        self._states = list(islice(self._fresh, self.num_envs))
        return self._env.render(self._states)

    def step_async(self, actions: np.ndarray) -> None:
        """Remember what to do."""
        self._actions = np.asarray(actions, np.int64)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Do it."""
        outcome = self._env.step(self._states, self._actions)
        self._states = refilled(outcome, self._fresh)
        return self._env.render(self._states), outcome.rewards, outcome.done, [{} for _ in outcome.done]

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """There is one environment behind all."""
        return [getattr(self._env, attr_name, None)] * getattr(self, "num_envs", 1)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not for outsiders."""
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *arguments: Any, indices: Any = None, **keywords: Any) -> list[Any]:
        """Not for outsiders."""
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """It never is."""
        return [False] * self.num_envs


class Listener(BaseCallback):
    """Hands every batch of rewards to a recorder."""

    def __init__(self, record: CurveRecorder) -> None:
        super().__init__()
        self._record = record

    def _on_step(self) -> bool:
        self._record.add(self.num_timesteps, self.locals["rewards"])
        return True


def _divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`: rollouts of equal size make exactly as many steps as were asked for."""
    return next(size for size in range(min(most, number), 0, -1) if number % size == 0)
