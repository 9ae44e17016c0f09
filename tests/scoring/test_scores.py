from __future__ import annotations

import json
import math

import pytest
from pydantic import ValidationError

from srd_core.scoring.detection import detection_scores
from srd_core.scoring.intervals import bootstrap_mean, wilson
from srd_core.scoring.scores import ModelScores, Scores


def example() -> Scores:
    model = ModelScores(
        arm="srd", protocol="P1", domain="flickr8k", seed=0, n=5, bleu_4=0.2, cider=bootstrap_mean([0.5, 0.7], 0), asr=wilson(1, 5)
    )
    return Scores(models=(model,), detection={"srd/pair": detection_scores([0.2, 0.9], [False, False], [False, True])})


def test_scores_survive_json_with_unknown_figures_as_null() -> None:
    text = example().model_dump_json()
    plain = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert plain["detection"]["srd/pair"]["auroc"] == {"value": None, "low": 0.0, "high": 1.0, "n": 0}
    assert plain["models"][0]["sfs"] is None
    back = Scores.model_validate_json(text)
    assert back.models == example().models
    assert math.isnan(back.detection["srd/pair"].auroc.value)
    assert back.model_dump_json() == text


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="accuracy"):
        Scores.model_validate({"models": [], "accuracy": 1.0})


def test_a_figure_that_was_kept_without_an_interval_is_still_read() -> None:
    made = example().models[0]
    assert made.bleu_4.value == 0.2 and math.isnan(made.bleu_4.low) and made.bleu_4_triggered is None
