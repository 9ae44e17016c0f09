"""At which size a plan is run: which profile, on which data. What is compared stays the same."""

from __future__ import annotations

import glob
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from srd_core.experiments.scenes import SceneExperiment
from srd_core.experiments.shards import ShardExperiment

Experiment = Annotated[SceneExperiment | ShardExperiment, Field(discriminator="kind")]


class Size(BaseModel):
    """A file of `flows/sizes`, or the user's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: str = "scenes"
    data: Experiment = Field(SceneExperiment(), description="Attack, rate and seed are set cell by cell. Paths may begin with {data}")
    settings: tuple[str, ...] = Field((), description="`key=value`, for every cell")
    test_sets: dict[str, str] = Field(default_factory=dict, description="Test set → the paper's that stands in the same place")
    seconds: dict[Literal["seed", "model"], float] = Field(
        default_factory=dict, description="`seed`, `model`: what they take on two cores that multiply bfloat16"
    )


def placed(value: Any, data: str | None) -> Any:
    """`value` with `{data}` in its texts replaced; unchanged where no folder is given. In a glob, only what stands around it is one."""
    if isinstance(value, str) and data is not None:
        folder = data.rstrip("/")
        return value.replace("{data}", glob.escape(folder) if glob.has_magic(value) else folder)
    if isinstance(value, dict):
        return {key: placed(item, data) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item, data) for item in value]
    return value
