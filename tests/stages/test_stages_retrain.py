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


def cleansed(folder: Path, arm: str = "abl", withheld: int = 4) -> StageManifest:
    """Ten scenes kept and some withheld, as a stage leaves them."""
    outputs = {}
    for place, count, seed in (("shards", 10, 5), ("quarantine", withheld, 6)):
        (path,) = write_shards(folder / place, count, seed=seed, side=32)
        outputs[f"arms/{arm}/{place}/{path.name}"] = FileRef(uri=str(path), size=path.stat().st_size, sha256=file_digest(path))
    return StageManifest(stage=f"cleanse-{arm}", key="0" * 64, outputs=outputs)


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


def test_arms_that_leave_the_same_pairs_share_a_model(pipeline: Pipeline, tmp_path: Path) -> None:
    start = {"start": pipeline.make("base")}
    left = {arm: cleansed(tmp_path / arm, arm, withheld) for arm, withheld in (("vdc", 4), ("ct", 3), ("abl", 4), ("abl-5", 3))}

    def key(arm: str, protocol: str, like: str = "") -> str:
        return RETRAIN.key(pipeline.run, {**start, "cleansed-0": left[like or arm]}, {"arm": arm, "protocol": protocol})

    assert key("vdc", "p1") == key("ct", "p1") == key("abl", "p1")
    assert key("vdc", "p2") == key("ct", "p2")
    assert key("vdc", "p1") != key("vdc", "p2")
    assert key("augment", "p1", "vdc") != key("vdc", "p1")
    assert len({key("vdc", "p2"), key("abl", "p2"), key("abl-5", "p2")}) == 3, "what is unlearned makes a difference"
    assert RETRAIN.key(pipeline.run, {"start": pipeline.make("model"), "cleansed-0": left["vdc"]}, {"arm": "vdc", "protocol": "p1"}) != key(
        "vdc", "p1"
    )


def test_a_shared_model_is_trained_once(pipeline: Pipeline, tmp_path: Path) -> None:
    first, second = (
        RETRAIN.execute(
            pipeline.run, {"start": pipeline.make("base"), "cleansed-0": cleansed(tmp_path / arm, arm)}, {"arm": arm, "protocol": "p1"}
        )
        for arm in ("nll", "pmi")
    )
    assert first == second
