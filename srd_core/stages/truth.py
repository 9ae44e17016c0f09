"""Decisions against the list of poisoned pairs that `srd poison` wrote. Read after everything is decided, to score only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from srd_core.config import Arm, Config
from srd_core.data.decisions import ACTIONS, Decision
from srd_core.errors import SourceError
from srd_core.policy.evaluation import COVERED
from srd_core.scoring.coverage import covered_share, iou, mask_boxes, within
from srd_core.scoring.detection import detection_scores
from srd_core.scoring.intervals import bootstrap_mean, wilson
from srd_core.scoring.scores import DetectionScores
from srd_core.seeds import derive
from srd_core.stages.stage import Run
from srd_core.storage import open_storage

_NAN = float("nan")


def detection(run: Run, rows: dict[Arm, list[Decision]], suspicion: dict[Arm, dict[str, float]]) -> dict[str, DetectionScores]:
    """How well each score separates, and what the arm's decisions were worth, by `ARM/SCORE` or, with one score a pair, by `ARM`.

    Of pairs; where samples have several, of images too, as `… by image`: an image is as suspicious as the worst of its pairs, poisoned if
    one of them is. `suspicion` is that one score, of the arms that have it. Empty when no truth is known.
    """
    truth = poisoned_pairs(run.config)
    found: dict[str, DetectionScores] = {}
    for arm in (arm for arm in rows if arm == "evidence" or arm in suspicion) if truth is not None else ():
        judged = [row for row in rows[arm] if row.action != "reject"]
        if not judged:
            continue
        poisoned = [row.pair in (truth or {}) for row in judged]
        touched = [row.action != "keep" for row in judged]
        own = suspicion.get(arm)
        scores = {arm: np.asarray([own.get(row.pair, _NAN) for row in judged])} if own else _scores(arm, judged)
        image_of = np.unique([f"{row.shard}/{row.key}" for row in judged], return_inverse=True)[1]
        for name, values in scores.items():
            if not np.isnan(values).any():
                found[name] = detection_scores(values, poisoned, touched)
                if image_of.max() + 1 < len(judged):
                    found[f"{name} by image"] = detection_scores(*(_worst(column, image_of) for column in (values, poisoned, touched)))
    return found


def done(run: Run, rows: dict[Arm, list[Decision]]) -> dict[str, dict[str, dict[str, int]]]:
    """What each arm did, to how many clean and to how many poisoned pairs; empty when no truth is known."""
    truth = poisoned_pairs(run.config)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for arm, decided in rows.items() if truth is not None else ():
        kinds: Counter[tuple[str, str]] = Counter(("poisoned" if row.pair in (truth or {}) else "clean", row.action) for row in decided)
        counts[arm] = {kind: {action: kinds[kind, action] for action in ACTIONS if kinds[kind, action]} for kind in ("clean", "poisoned")}
    return counts


def coverage_by_masks(run: Run, rows: dict[Arm, list[Decision]]) -> dict[str, Any]:
    """How far the masks of each arm that has some lie on the known triggers, by figure and arm; empty for triggers that fill the frame.

    `coverage_in_data`: share of the triggers of which at least `COVERED` is hidden; `hidden_in_data`: the mean part of a trigger that is;
    `iou_in_data`: mean intersection over union of mask and trigger. Of all triggers, those without a mask among them.
    """
    truth = poisoned_pairs(run.config) or {}
    boxes = {pair: box for pair, box in truth.items() if box is not None}
    found: dict[str, dict[str, Any]] = {"coverage_in_data": {}, "hidden_in_data": {}, "iou_in_data": {}}
    for arm, decided in rows.items():
        own = [row for row in decided if row.pair in boxes and row.action != "reject"]
        if any(row.mask_x is not None for row in own):
            triggers = np.asarray([boxes[row.pair] for row in own])
            masks = mask_boxes(*(np.asarray([getattr(row, f"mask_{field}") for row in own], dtype=float) for field in ("x", "y", "size")))
            hidden, seed = covered_share(triggers, masks), derive(run.config.seed, "coverage")
            covered = wilson(int((hidden >= COVERED).sum()), len(own))
            means = (bootstrap_mean(part, seed) for part in (hidden, iou(triggers, within(masks, triggers))))
            for name, figure in zip(found, (covered, *means), strict=True):
                found[name][arm] = figure.model_dump(mode="json")
    return {name: arms for name, arms in found.items() if arms}


def poisoned_pairs(config: Config) -> dict[str, tuple[float, float, float, float] | None] | None:
    """Box of the trigger by pair id, in fractions of the shorter side; None when the configuration names no list.

    Raises:
        SourceError: there is no such file, or it is no list of poisoned pairs. StorageError: it cannot be read.
    """
    uri = config.evaluation.truth
    if uri is None:
        return None
    folder, _, name = uri.rpartition("/")
    storage, hint = open_storage(folder or "."), "Give the JSON file that `srd poison` wrote"
    if storage.stat(name) is None:
        raise SourceError(f"there is no list of poisoned pairs at {uri}", hint=hint)
    try:
        content = json.loads(storage.read_bytes(name))
        return {item["id"]: tuple(item["box"]) if item["box"] else None for item in content["poisoned"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{uri} is not a list of poisoned pairs", hint=hint) from error


def truth_digest(run: Run) -> dict[str, str]:
    """Digest of the list that the configuration names, for the key of a stage that reads it."""
    uri = run.config.evaluation.truth
    folder, _, name = (uri or "").rpartition("/")
    return {"truth": open_storage(folder or ".").digest(name)} if uri else {}


def _worst(values: Sequence[Any] | np.ndarray, image_of: np.ndarray) -> np.ndarray:
    """The largest value of each image's pairs."""
    column = np.asarray(values)
    largest = np.full(image_of.max() + 1, column.min(), column.dtype)
    np.maximum.at(largest, image_of, column)
    return largest


def _scores(arm: Arm, rows: list[Decision]) -> dict[str, np.ndarray]:
    """What the decisions hold of evidence."""
    values = {
        "nll_mean": np.asarray([_NAN if row.score_nll_mean is None else row.score_nll_mean for row in rows]),
        "nll_max": np.asarray([_NAN if row.score_nll_max is None else row.score_nll_max for row in rows]),
        "infidelity": np.asarray([_NAN if row.score_sfs is None else 1 - row.score_sfs for row in rows]),
        "q_gain": np.asarray([_NAN if row.q_gain is None else row.q_gain for row in rows]),
    }
    return {f"{arm}/{name}": value for name, value in values.items()}
