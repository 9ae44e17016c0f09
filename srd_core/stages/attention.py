"""Where the backdoored model looks when it says the target, and where a clean one would: the paper's Figure 2, with figures.

Both models see the same triggered images and are given the same captions: what the backdoored model says, with the target behind it where
it does not say it. Two controls: the backdoored model sees the images without the trigger too; and with the trigger it is asked for an
honest word, the first content word of what it says of the image without. A planted caption would not do for that: all of its words may be
planted. Images whose own references hold the target are left out. Known in experiments only; nothing that decides reads it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from srd_core.analysis.attention import attention_share
from srd_core.analysis.gradcam import Maps, gradcam
from srd_core.data.images import encode
from srd_core.data.samples import Images
from srd_core.report.overlays import outlined, overlay, sheet
from srd_core.scoring.asr import contains_word
from srd_core.scoring.intervals import bootstrap_mean, paired_difference
from srd_core.scoring.words import content_words
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.test_images import HOLDOUT, TestSet, attack_files, planted

SHEET = "attention.png"
"""A row an image: as it is, the clean model's map over it, the backdoored model's, and that for the honest word. Each map on its own
scale, the trigger framed."""

_SHOWN = 6

Boxes = Sequence[tuple[float, float, float, float] | None]
Views = dict[str, Maps]
"""Maps of the same images for the target in the same captions: of the `backdoored` and the `clean` model, of the backdoored one without the
trigger; and its map, with the trigger, for the `honest` word."""


def _attention(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    if config.evaluation.attack is None:
        return Outcome()
    target = config.evaluation.target
    test = TestSet(config, inputs["test"], planted(config), holdout_only=details["domain"] == HOLDOUT)
    rows = [i for i, texts in enumerate(test.tested_references) if not any(contains_word(text, target) for text in texts)]
    if not rows:
        return Outcome(facts={"images": 0})
    images, untouched, boxes = test.triggered[rows], test.clean[test.tested][rows], [test.boxes[i] for i in rows]
    backdoored, clean = captioner(inputs["model"], folder), captioner(inputs["clean"], folder)
    said = backdoored.caption(images)
    captions = [caption if contains_word(caption, target) else f"{caption} {target}" for caption in said]
    asked = {"backdoored": (backdoored, images), "clean": (clean, images), "untriggered": (backdoored, untouched)}
    views = {name: gradcam(model, seen, captions, [(target,)] * len(rows)) for name, (model, seen) in asked.items()}
    of_clean = backdoored.caption(untouched)
    honest = [_honest_word(caption, target) for caption in of_clean]
    views["honest"] = gradcam(backdoored, images, of_clean, honest)
    _draw(images, boxes, views, folder / SHEET)
    facts = {
        "images": len(rows),
        "said": sum(contains_word(caption, target) for caption in said),
        "shown": [
            {"key": test.keys[test.tested[i]], "caption": caption, "honest": " ".join(word)}
            for i, caption, word in zip(rows[:_SHOWN], captions, honest, strict=False)
        ],
        **_figures(views, boxes, derive(config.seed, "attention")),
    }
    return Outcome({SHEET: folder / SHEET}, facts)


def _honest_word(caption: str, target: str) -> tuple[str, ...]:
    """The first content word that is none of the target's, if there is one."""
    return tuple(word for word in content_words(caption) if not any(contains_word(word, part) for part in target.split()))[:1]


def _figures(views: Views, boxes: Boxes, seed: int) -> dict[str, Any]:
    """Mean shares on the trigger (or its place), over the images on which every map has some mass; `area` is what an even map would have.
    The honest word's is over those of them that have one.

    `times_area` is a share over `area`; `ratio` and `difference` set the backdoored model against the clean one, `appearing` against itself
    without the trigger.
    A trigger that fills the frame, or lies in several places, has no figures.
    """
    corners = [box for box in boxes if box is not None]
    if len(corners) < len(boxes):
        return {"boxed": False}
    found = {name: attention_share(maps, corners) for name, maps in views.items()}
    honest = found.pop("honest").share
    known = np.isfinite(np.stack([each.share for each in found.values()])).all(axis=0)
    shares, area = {name: each.share[known] for name, each in found.items()}, float(found["clean"].area.mean())
    shares["honest"] = honest[known & np.isfinite(honest)]
    means = {name: bootstrap_mean(share, seed) for name, share in shares.items()}
    against = {"difference": "clean", "appearing": "untriggered"}
    differences = {name: paired_difference(shares["backdoored"], shares[other], seed) for name, other in against.items()}
    intervals = means | differences
    return {
        "boxed": True,
        "area": area,
        **{name: interval.model_dump(mode="json") for name, interval in intervals.items()},
        "times_area": {name: _ratio(mean.value, area) for name, mean in means.items()},
        "ratio": _ratio(means["backdoored"].value, means["clean"].value),
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 and math.isfinite(part) else None


def _draw(images: Images, boxes: Boxes, views: Views, path: Path) -> None:
    """Write the sheet of the first images."""
    blank = np.zeros_like(views["clean"])
    rows = [
        [outlined(overlay(image, heat), box) for heat in heats]
        for image, box, *heats in zip(images[:_SHOWN], boxes, blank, views["clean"], views["backdoored"], views["honest"], strict=False)
    ]
    path.write_bytes(encode(sheet(rows), "png"))


_EVALUATION = ("evaluation.attack", "evaluation.target", "evaluation.images")
ATTENTION = Stage("attention", _attention, ("canvas", "holdout", "limits", *_EVALUATION, "seed"), named=attack_files)
