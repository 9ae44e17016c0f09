"""The look at words, from what was weighed to what the next stage reads of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.config import load_config
from srd_core.defences.base import PairDecision
from srd_core.defences.consensus import SharedWord
from srd_core.defences.weighed import WeighedPair, WeighedWriter
from srd_core.stages.consensus import CONSENSUS, condemned
from srd_core.stages.stage import Outcome, Run, Stage


@pytest.mark.parametrize("looked", [True, False])
def test_words_and_what_was_planted_with_them_are_read_back(looked: bool, tmp_path: Path) -> None:
    """Regression: a manifest holds what JSON holds, and the planted words were none of it."""

    def weigh(run: Run, inputs: object, details: object, folder: Path) -> Outcome:
        with WeighedWriter(folder / "a.parquet") as writer:
            for number in range(400):
                bad = number % 10 == 0
                caption = "the image depicts a zeppelin" if bad else f"a dog by number {number} of the street"
                decision = PairDecision("recaption" if bad else "keep", "nll_max", "a dog" if bad else None)
                writer.write(WeighedPair(f"a/{number:03d}#0", caption, "a dog", decision, None, None))
        return Outcome({"a.parquet": folder / "a.parquet"})

    run = Run("source", str(tmp_path / "sink"), "trusted", load_config("test", overrides=[f"evidence.second_look={str(looked).lower()}"]))
    found = condemned(CONSENSUS.execute(run, {"weighed-0": Stage("weigh", weigh).execute(run, {}, {})}, {}))
    assert found == ([SharedWord(word="depicts", flagged=40, pairs=40, planted=("depicts", "image", "zeppelin"))] if looked else [])
