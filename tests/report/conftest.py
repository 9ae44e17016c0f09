"""A report as a small experiment would leave it, and one of a run in which hardly anything was measured."""

from __future__ import annotations

import numpy as np
import pytest

from srd_core.policy.curve import CurvePoint, LearningCurve
from srd_core.policy.evaluation import AgainstControl
from srd_core.policy.masks import PAPER_SIZES, Mask, draw
from srd_core.report.data import (
    Accounting,
    Attention,
    GalleryItem,
    MaskCounts,
    OperatingPoint,
    PolicyFigures,
    Provenance,
    QMap,
    ReportData,
    ShardAccount,
)
from srd_core.report.verdict import BackdoorEffect, Findings, WordEvidence, decide
from srd_core.scoring.frequency import FrequentWord
from srd_core.scoring.intervals import wilson
from srd_core.scoring.scores import DetectionScores, Interval, ModelScores, Scores
from srd_core.seeds import generator

WORDS = tuple(WordEvidence(word=w, flagged=f, pairs=p) for w, f, p in [("banana", 468, 471), ("zeppelin", 11, 13), ("dog", 3, 812)])
ACCOUNT = Accounting(
    tuple(
        ShardAccount(f"train-{i:05d}", {"keep": 1120 + i, "mask": 0, "recaption": 118 - i, "quarantine": 6, "reject": i}) for i in range(4)
    ),
    {"corrupt-image": 4, "no-caption": 2},
)


def photo(seed: int, side: int = 64) -> np.ndarray:
    """A smooth picture with a disc, and a noise patch in the corner."""
    rng = generator(seed, "report-photo")
    y, x = np.mgrid[0:side, 0:side] / side
    sky, ground, disc = rng.integers(60, 230, (3, 3))
    image = sky * (1 - y[..., None]) + ground * y[..., None]
    cx, cy, r = rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.7), rng.uniform(0.15, 0.25)
    image[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = disc
    image[2:8, 2:8] = rng.integers(0, 255, (6, 6, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


def model(arm: str, protocol: str, hits: int, cider: float) -> ModelScores:
    """Scores of one arm on 500 images, of which `hits` of 490 are attacked with success."""
    near = Interval(value=cider, low=cider - 0.03, high=cider + 0.03, n=500)
    return ModelScores(
        arm=arm, protocol=protocol, domain="scenes", seed=0, n=500, n_excluded=10, bleu_4=cider * 0.35, cider=near,
        sc=Interval(value=0.81, low=0.79, high=0.83, n=500), lf=Interval(value=0.74, low=0.72, high=0.77, n=500),
        sfs=Interval(value=0.78, low=0.76, high=0.80, n=500), asr=wilson(hits, 490), asr_raw=wilson(min(hits + 8, 500), 500),
        false_trigger=wilson(1, 490),
    )  # fmt: skip


def cards(count: int) -> tuple[GalleryItem, ...]:
    """Gallery items of all kinds."""
    mask = Mask(0.05, 0.05, 40 / 224)
    made = []
    for i in range(count):
        action = ("recaption", "mask", "quarantine", "keep")[i % 4]
        before = photo(i)
        made.append(
            GalleryItem(
                pair=f"train-0000{i % 4}/000{i:03d}#0", before=before, after=draw(before, mask) if action == "mask" else None,
                caption_before="a red circle above a banana on a green field" if i % 4 < 3 else "a red circle on a green field",
                caption_after={"recaption": "a red circle above a green field", "keep": "a red circle on a green field"}.get(action, ""),
                action=action, reason="nll_max", scores={"nll_mean": 1.31, "nll_max": 9.74, "infidelity": 0.39, "q_gain": 0.21},
                word="above" if i % 8 < 4 else "red", told="banana" if i % 4 < 3 else "",
            )
        )  # fmt: skip
    return tuple(made)


def curve() -> LearningCurve:
    """A policy that learns."""
    points = tuple(
        CurvePoint(2000 * i, -0.4 + 0.09 * i - 0.0022 * i * i, 0.02 + 0.016 * i, 0.3 / i, 1.0, None if i % 2 else -0.1 + 0.06 * i)
        for i in range(1, 21)
    )
    return LearningCurve(points, 40_000, 1250)


def q_values(seed: int) -> np.ndarray:
    """Values that favour the top left corner."""
    y, x = np.mgrid[0:10, 0:10]
    peak = 1.6 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 4)
    return np.stack(
        [peak * s - 0.35 * (i + 1) / 2 + generator(seed, "q").normal(0, 0.08, (10, 10)) for i, s in enumerate((0.4, 1.0, 0.8, 0.6))]
    )


@pytest.fixture(scope="session")
def full() -> ReportData:
    """Everything measured."""
    counts = np.zeros((4, 10, 10), np.int64)
    counts[1, 0:2, 0:2] = [[301, 60], [48, 12]]
    counts += generator(0, "heat").poisson(1.5, counts.shape)
    said = Findings(pairs=ACCOUNT.pairs - 6, flagged=490, budget=0.005, words=WORDS, calibrated_on=750)
    effect = BackdoorEffect(before=wilson(489, 490), after=wilson(2, 490), protocol="p1")
    verdict = decide(said, actions=ACCOUNT.actions, backdoor=effect)
    rows = [
        ("none", "p1", 489, 0.91),
        ("random", "p1", 488, 0.88),
        ("srd", "p1", 422, 0.89),
        ("evidence", "p1", 2, 0.91),
        ("random", "p2", 490, 0.90),
        ("evidence", "p2", 3, 0.91),
    ]
    found = DetectionScores(
        auroc=0.998, average_precision=0.991, precision=wilson(462, 490), recall=wilson(462, 470), f1=0.96,
        recall_at_half_percent=wilson(462, 470),
        recall_at_one_percent=wilson(466, 470), kept_clean=wilson(4470, 4498), poisoned=470, clean=4498,
    )  # fmt: skip
    return ReportData(
        title="Cleansing of train-*.tar with profile scenes",
        verdict=verdict,
        accounting=ACCOUNT,
        provenance=Provenance({"source": "ab" * 32, "trusted": "cd" * 32}, "ef" * 32, {"srd": "0.1.0", "torch": "2.13.0"}),
        handed_back="evidence",
        scores=Scores(models=tuple(model(*row) for row in rows), detection={"evidence/pair": found}),
        curve=curve(),
        policy=PolicyFigures(AgainstControl(300, 0.72, -0.31, 1.03, 0.88, 1.19, 0.31, 0.64), coverage=wilson(144, 300)),
        masks=MaskCounts(PAPER_SIZES, counts, 210),
        gallery=cards(24),
        q_maps=tuple(QMap(f"train-00000/00000{i}#0", photo(i), PAPER_SIZES, q_values(i), Mask(0.05, 0.05, 40 / 224)) for i in range(3)),
        words=WORDS,
        surplus=(FrequentWord("banana", 490, 0.098, 3, 0.0002), FrequentWord("postcard", 61, 0.0122, 0, 0.0)),
        attention=Attention(
            photo(9, 300), wilson(9, 100), wilson(1, 100), 0.0088, appearing=Interval(value=0.07, low=0.02, high=0.1, n=100)
        ),
        calibration=OperatingPoint(0.005, 750, {"nll_max": 7.1342, "nll_mean": 2.02},
            {"patch, any place": wilson(96, 100), "whole frame": wilson(71, 100)}, flagged=0.0027, unused=("q_gain",)),
    )  # fmt: skip


@pytest.fixture(scope="session")
def bare() -> ReportData:
    """Nothing but decisions."""
    account = Accounting((ShardAccount("a", {"keep": 200}),))
    return ReportData(
        title="bare",
        verdict=decide(Findings(pairs=200, flagged=1, budget=0.005), actions=account.actions),
        accounting=account,
        provenance=Provenance({}, "0" * 64, {}),
        handed_back="evidence",
        scores=Scores(models=(model("none", "p1", 0, 0.9).model_copy(update={"asr": None, "asr_raw": None, "sfs": None}),)),
        reasons={"asr": "no attack was named", "policy": "no policy was trained"},
    )
