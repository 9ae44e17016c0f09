"""Captioners that stages hand on: from a manifest, and to the files of an outcome."""

from __future__ import annotations

from pathlib import Path

from srd_core.data.manifest import StageManifest
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.stages.files import files_below, local_folder


def captioner(manifest: StageManifest, folder: Path) -> FlamingoCaptioner:
    """The model that a stage left under `model/`."""
    return FlamingoCaptioner.load(local_folder(manifest, folder / manifest.stage / manifest.key[:16], "model"))


def captioner_files(model: FlamingoCaptioner, folder: Path) -> dict[str, Path]:
    """Save a model for `Outcome.files`."""
    model.save(folder / "model")
    return files_below(folder / "model", "model")
