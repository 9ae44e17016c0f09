"""The synthetic poisoned set (paper: 3,000 samples with a noise trigger), as shards that the same tools read, boxes beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srd_core.data.images import encode
from srd_core.data.limits import OWN
from srd_core.data.loading import load_canvas
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.seeds import derive
from srd_core.stages.files import local_file, shards_of, trusted_pairs
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.synthesis.geometry import Box
from srd_core.synthesis.synthetic import Synthetic, synthesize

_SHARD, _NOTES = "synthetic.tar", "synthetic.json"


def _synthesize(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    clean = trusted_pairs(run, inputs["trusted"], folder, "fit")
    made = synthesize(clean, run.config.synthesis, seed=derive(run.config.seed, "synthesize"))
    with (folder / _SHARD).open("wb") as stream, ShardWriter(stream) as writer:
        for number, (image, caption) in enumerate(zip(made.images, made.captions, strict=True)):
            writer.write(Sample("synthetic", f"synthetic{number:06d}", encode(image, "png"), "png", (caption,)))
    notes = {
        "boxes": [[box.x0, box.y0, box.x1, box.y1] for box in made.boxes],
        "words": list(made.words),
        "sources": made.sources.tolist(),
        "photographs": made.photographs.tolist(),
        "ids": list(made.ids),
    }
    (folder / _NOTES).write_text(json.dumps(notes))
    return Outcome({_SHARD: folder / _SHARD, _NOTES: folder / _NOTES}, {"pairs": len(made), "placement": run.config.synthesis.placement})


@dataclass(frozen=True)
class _Notes:
    boxes: list[list[int]]
    words: list[str]
    sources: list[int]
    photographs: list[int]
    ids: list[str]


def load_synthetic(run: Run, manifest: StageManifest, folder: Path) -> Synthetic:
    """The synthetic set as it was made."""
    pairs, _ = load_canvas(shards_of(manifest), run.config.canvas, folder, limits=OWN)
    notes = _Notes(**json.loads(local_file(manifest.outputs[_NOTES], folder / "notes").read_text()))
    images = np.asarray(pairs.images)[pairs.image_of]
    boxes, numbers = [Box(*box) for box in notes.boxes], (np.asarray(notes.sources), np.asarray(notes.photographs))
    return Synthetic(images, pairs.captions, boxes, notes.words, *numbers, notes.ids)


SYNTHESIZE = Stage("synthesize", _synthesize, ("canvas", "holdout", "limits", "synthesis", "seed"))
