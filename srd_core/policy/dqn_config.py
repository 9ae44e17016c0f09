"""Settings of deep Q-learning, apart from what they set up, so that a configuration is read without loading torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DqnConfig(BaseModel):
    """Settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(default=40_000, ge=1, description="Environment steps, each a mask tried on an image (official code: 10,000)")
    envs: int = Field(default=64, ge=1, description="Images played at once; their captions come from one call")
    batch: int = Field(default=64, ge=1, description="States in a gradient step")
    updates_per_step: int = Field(default=2, ge=1, description="Gradient steps after each batch of environment steps")
    learning_starts: int = Field(default=1_000, ge=0, description="Environment steps before the first gradient step, all random")
    learning_rate: float = Field(default=2e-3, gt=0, description="Adam, falling to a tenth along a cosine")
    gamma: float = Field(default=0.9, ge=0, le=1, description="Discount; without effect when max_masks is 1")
    target_update: int = Field(default=200, ge=1, description="Gradient steps between copies to the target network")
    double: bool = Field(default=True, description="The online network picks the next action, the target network values it")
    duelling: bool = Field(default=True, description="State value and advantages apart")
    width: int = Field(default=16, ge=1, description="Channels of the first convolution")
    capacity: int = Field(default=100_000, ge=1, description="Steps remembered")
    balance: float = Field(default=0.15, ge=0, lt=1, description="Least weight of rewarded steps in a batch")
    epsilon_start: float = Field(default=1.0, ge=0, le=1, description="Share of random actions at first")
    epsilon_end: float = Field(default=0.2, ge=0, le=1, description="Share of random actions at last")
    epsilon_decay: float = Field(default=0.4, gt=0, le=1, description="Share of the steps over which epsilon falls linearly")
    temperature: float = Field(default=0.3, ge=0, description="Of the Boltzmann draw from the Q-map, in units of reward; 0 is greedy")
    max_masks: int = Field(default=1, ge=1, description="Masks in an episode; 1 is the bandit of the official code")
    clip: float = Field(default=5.0, gt=0, description="Largest gradient norm")
    points: int = Field(default=20, ge=1, description="Points on the learning curve")

    def epsilon(self, step: int) -> float:
        """Share of random actions at this environment step."""
        if step < self.learning_starts:
            return 1.0
        return self.epsilon_start + (self.epsilon_end - self.epsilon_start) * min(step / (self.epsilon_decay * self.steps), 1.0)
