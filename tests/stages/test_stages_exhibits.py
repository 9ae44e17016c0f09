"""Pictures for the page: as small as they are shown, whatever the size of the originals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srd_core.config import Config
from srd_core.data.decisions import Decision
from srd_core.data.images import encode
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.stages import exhibits, inventory
from srd_core.stages.stage import Run


def test_what_is_kept_of_an_image_is_small_and_its_mask_in_its_place(tmp_path: Path) -> None:
    with (tmp_path / "s.tar").open("wb") as file, ShardWriter(file) as writer:
        for key in ("a", "b", "z"):
            writer.write(Sample("s", key, encode(np.full((600, 1200, 3), 90, np.uint8), "jpg"), "jpg", ("x",)))
    run = Run(str(tmp_path), "", "", Config())
    rows = [Decision("s", key, f"s/{key}#0", "mask", "as told", mask_x=0.5, mask_y=0.5, mask_size=0.5) for key in ("a", "b")]
    first, second = exhibits.gallery(run, inventory.take(run, "source"), rows)
    assert first.before.shape == second.before.shape == (128, 256, 3)
    assert first.after is not None
    red = np.argwhere((first.after == (255, 0, 0)).all(axis=2))
    assert red.min(axis=0).tolist() == [32, 32] and red.max(axis=0).tolist() == [95, 95]
