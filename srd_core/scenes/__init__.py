"""The built-in world: seeded rendered scenes with five true captions each, for the offline demo, the tests and the small benchmark.

`dataset` is the way in (`generate`, `canvas_set`, `write_shards`). Nothing here stands for photographs: it is a world in which a
tiny model learns to caption within minutes and every fact of an image is known.
"""

from __future__ import annotations

from srd_core.scenes.dataset import SceneSample, canvas_set, generate, write_shards
from srd_core.scenes.world import Domain, Scene, Thing

__all__ = ["Domain", "Scene", "SceneSample", "Thing", "canvas_set", "generate", "write_shards"]
