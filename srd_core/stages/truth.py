"""Decisions against the list of poisoned pairs that `srd poison` wrote. Read after everything is decided, to score only."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import numpy as np

from srd_core.config import Arm, Config
from srd_core.data.decisions import ACTIONS, IN_COLUMNS, Decision, sample_of, score_of
from srd_core.data.reasons import ends_shard
from srd_core.errors import SourceError
from srd_core.policy.evaluation import COVERED
from srd_core.scoring.coverage import covered_share, iou, mask_boxes, within
from srd_core.scoring.detection import detection_scores
from srd_core.scoring.intervals import bootstrap_mean, wilson
from srd_core.scoring.scores import DetectionScores
from srd_core.seeds import derive
from srd_core.stages.arms import JOINED
from srd_core.stages.evidence_found import was_judged
from srd_core.stages.given import file_digest_at
from srd_core.stages.stage import Run
from srd_core.storage import file_at

_NAN = float("nan")

Places = dict[str, tuple[float, float, float, float] | None]

Score = Callable[[Decision], float | None]
"""What a decision is scored by; None where it has none."""

Suspicion = Callable[[str], Mapping[str, float]]
"""The score of each pair of the shard of that name."""


def detection(run: Run, rows: Mapping[Arm, Iterable[Decision]], suspicion: Mapping[Arm, Suspicion]) -> dict[str, DetectionScores]:
    """How well each score separates, and what the arm's decisions were worth, by `ARM/SCORE` or, with one score a pair, by `ARM`.

    Of pairs; where samples have several, of images too, as `… by image`: an image is as suspicious as the worst of its pairs, poisoned if
    one of them is. `suspicion` is that one score, of the arms that have it; one shard's is held at a time. Empty when no truth is known.
    """
    truth = poisoned_pairs(run.config)
    found: dict[str, DetectionScores] = {}
    for arm in (arm for arm in rows if arm == "evidence" or arm in suspicion) if truth is not None else ():
        own = suspicion.get(arm)
        read: dict[str, Score] = {arm: _known_by(own)} if own else {f"{arm}/{name}": get for name, get in _channels(run.config).items()}
        judged = _Judged.of(rows[arm], read, truth or {})
        for name, values in judged.scores.items():
            if len(values) and not np.isnan(values).any():
                found[name] = detection_scores(values, judged.poisoned, judged.touched)
                if judged.image_of[-1] + 1 < len(values):
                    by_image = (_worst(column, judged.image_of) for column in (values, judged.poisoned, judged.touched))
                    found[f"{name} by image"] = detection_scores(*by_image)
    return found


@dataclass(frozen=True)
class _Judged:
    """The N pairs of an arm that could be looked at, in columns (N,).

    Scores by name (NaN where a pair has none), truth, decision, image.
    """

    scores: dict[str, np.ndarray]
    poisoned: np.ndarray
    touched: np.ndarray
    image_of: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[Decision], read: Mapping[str, Score], truth: Collection[str]) -> _Judged:
        scores = {name: array("d") for name in read}
        poisoned, touched, image_of = array("b"), array("b"), array("q")
        for image, (_, own) in enumerate(groupby((row for row in rows if was_judged(row)), key=sample_of)):
            for row in own:
                for name, get in read.items():
                    value = get(row)
                    scores[name].append(_NAN if value is None else value)
                poisoned.append(row.pair in truth)
                touched.append(row.action != "keep")
                image_of.append(image)
        columns = {name: np.asarray(values) for name, values in scores.items()}
        return cls(columns, np.asarray(poisoned, bool), np.asarray(touched, bool), np.asarray(image_of))


def _known_by(suspicion: Suspicion) -> Score:
    of_shard = lru_cache(maxsize=1)(suspicion)
    return lambda row: of_shard(row.shard).get(row.pair)


def _channels(config: Config) -> dict[str, Score]:
    """How to read the score of every channel."""
    return {name: partial(score_of, channel=name) for name in dict.fromkeys((*IN_COLUMNS, *config.evidence.channels))}


def done(run: Run, rows: Mapping[Arm, Iterable[Decision]]) -> dict[str, dict[str, dict[str, int]]]:
    """What each arm did, to how many clean and to how many poisoned pairs; empty when no truth is known.

    The row that says that a shard was not read to its end is no pair's.
    """
    truth = poisoned_pairs(run.config)
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for arm, decided in rows.items() if truth is not None else ():
        pairs = (row for row in decided if not (row.action == "reject" and ends_shard(row.reason)))
        kinds: Counter[tuple[str, str]] = Counter(("poisoned" if row.pair in (truth or {}) else "clean", row.action) for row in pairs)
        counts[arm] = {kind: {action: kinds[kind, action] for action in ACTIONS if kinds[kind, action]} for kind in ("clean", "poisoned")}
    return counts


def coverage_by_masks(run: Run, rows: Mapping[Arm, Iterable[Decision]]) -> dict[str, Any]:
    """How far the masks of each arm that has some lie on the known triggers, by figure and arm; empty for triggers that fill the frame.

    `coverage_in_data`: share of the triggers of which at least `COVERED` is hidden; `hidden_in_data`: the mean part of a trigger that is;
    `iou_in_data`: mean intersection over union of mask and trigger. Of all triggers, those without a mask among them. Not of arms that
    join captions to other images, where the trigger may be gone.
    """
    truth = poisoned_pairs(run.config) or {}
    boxes = {pair: box for pair, box in truth.items() if box is not None}
    found: dict[str, dict[str, Any]] = {"coverage_in_data": {}, "hidden_in_data": {}, "iou_in_data": {}}
    for arm, decided in rows.items():
        if arm in JOINED:
            continue
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


def poisoned_pairs(config: Config) -> Places | None:
    """As `listed_pairs`, of the list that the configuration names; None when it names none."""
    uri = config.evaluation.truth
    return None if uri is None else listed_pairs(uri)


def listed_pairs(uri: str) -> Places:
    """Box of the trigger by pair id, in fractions of the shorter side, None for the whole frame.

    Raises:
        SourceError: there is no such file, or it is no list of poisoned pairs. StorageError: it cannot be read.
    """
    (storage, name), hint = file_at(uri), "Give the JSON file that `srd poison` wrote"
    if storage.stat(name) is None:
        raise SourceError(f"there is no list of poisoned pairs at {uri}", hint=hint)
    try:
        content = json.loads(storage.read_bytes(name))
        return {item["id"]: tuple(item["box"]) if item["box"] else None for item in content["poisoned"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{uri} is not a list of poisoned pairs", hint=hint) from error


def truth_digest(run: Run) -> dict[str, str]:
    """Digest of the list that the configuration names, for the key of a stage that reads it."""
    return file_digest_at(run.config.evaluation.truth, "truth")


def _worst(column: np.ndarray, image_of: np.ndarray) -> np.ndarray:
    """The largest value of each image's pairs."""
    largest = np.full(image_of[-1] + 1, column.min(), column.dtype)
    np.maximum.at(largest, image_of, column)
    return largest
