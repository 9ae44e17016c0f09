"""What a model is retrained on, arm by arm."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srd_core.data.canvas import CanvasSet
from srd_core.data.manifest import FileRef, StageManifest
from srd_core.defences.screens.surprise import mean_nll
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.scenes.dataset import canvas_set, write_shards
from srd_core.stages.files import local_folder, shards_of, withheld_shards
from srd_core.stages.retrain import RETRAIN
from srd_core.storage.base import file_digest
from tests.stages.conftest import Pipeline


def cleansed(folder: Path) -> StageManifest:
    """Ten scenes kept and four withheld, as a stage leaves them."""
    outputs = {}
    for place, count, seed in (("shards", 10, 5), ("quarantine", 4, 6)):
        (path,) = write_shards(folder / place, count, seed=seed, side=32)
        outputs[f"arms/abl/{place}/{path.name}"] = FileRef(uri=str(path), size=path.stat().st_size, sha256=file_digest(path))
    return StageManifest(stage="cleanse-abl", key="0" * 64, outputs=outputs)


def surprise_at_withheld(pipeline: Pipeline, made: StageManifest, arm: str, protocol: str, withheld: CanvasSet, folder: Path) -> float:
    inputs = {"start": pipeline.make("model"), "cleansed-0": made}
    model = RETRAIN.execute(pipeline.run, inputs, {"arm": arm, "protocol": protocol})
    place = local_folder(model, folder / arm / protocol)
    return float(np.mean(mean_nll(FlamingoCaptioner.load(next(place.rglob("architecture.json")).parent), withheld)))


def test_what_is_kept_and_what_is_withheld_are_told_apart(tmp_path: Path) -> None:
    made = cleansed(tmp_path)
    assert [len(shards_of(made)), len(withheld_shards(made))] == [1, 1]
    assert shards_of(made)[0].uri.endswith("shards") and withheld_shards(made)[0].uri.endswith("quarantine")


def test_abl_unlearns_what_it_withheld_and_only_from_the_backdoored_model(pipeline: Pipeline, tmp_path: Path) -> None:
    made = cleansed(tmp_path / "made")
    (tmp_path / "own").mkdir()
    withheld = canvas_set(4, seed=6, side=32, folder=tmp_path / "own")
    found = {
        (arm, protocol): surprise_at_withheld(pipeline, made, arm, protocol, withheld, tmp_path)
        for arm, protocol in (("abl", "p1"), ("ct", "p1"), ("abl", "p2"), ("ct", "p2"))
    }
    assert found["abl", "p1"] == found["ct", "p1"]
    assert found["abl", "p2"] > found["ct", "p2"] + 0.01


def test_changed_images_make_another_model(pipeline: Pipeline, tmp_path: Path) -> None:
    inputs = {"start": pipeline.make("base"), "cleansed-0": cleansed(tmp_path)}
    plain, changed = (RETRAIN.execute(pipeline.run, inputs, {"arm": arm, "protocol": "p1"}) for arm in ("none", "augment"))
    weights = [next(ref.sha256 for name, ref in made.outputs.items() if name.endswith("model.safetensors")) for made in (plain, changed)]
    assert weights[0] != weights[1] and plain.facts["pairs"] == changed.facts["pairs"] == 50


def test_afterwards_only_trusted_pairs_are_learned(pipeline: Pipeline) -> None:
    inputs = {"start": pipeline.make("model"), "trusted": pipeline.make("trusted")}
    made = RETRAIN.execute(pipeline.run, inputs, {"arm": "finetune", "protocol": "p2"})
    assert made.facts["pairs"] == pipeline.make("base").facts["pairs"]
