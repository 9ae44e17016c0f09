"""Evidence mode's look at pictures, from shards to decisions: pairs that no first look has flagged are condemned by what images share."""

from __future__ import annotations

from pathlib import Path

import pytest

from srd_core.attacks.poison import poison_shards
from srd_core.attacks.registry import get
from srd_core.config import load_config
from srd_core.data.decisions import Decision
from srd_core.data.manifest import StageManifest
from srd_core.defences.base import PairDecision
from srd_core.defences.weighed import PICTURED, SAID_AGAIN, WeighedPair, WeighedWriter
from srd_core.scenes.dataset import write_shards
from srd_core.stages import inventory
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.evidence_found import DecisionRows, condemned_by, is_flagged, said_again
from srd_core.stages.files import shards_of
from srd_core.stages.screen import SCREEN
from srd_core.stages.stage import Outcome, Run, Stage


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, set[str]]:
    root = tmp_path_factory.mktemp("pictures")
    write_shards(root / "trusted", 700, seed=1, side=64, per_shard=350)
    clean = write_shards(root / "clean", 200, seed=2, side=64, per_shard=100)
    truth = poison_shards(clean, root / "suspect", attack=get("fluent"), rate=0.02, target="banana", seed=3, report=root / "truth.json")
    config = load_config("test", overrides=["canvas=64"])
    return Run(str(root / "suspect"), str(root / "sink"), str(root / "trusted"), config), {pair.id for pair in truth.poisoned}


def unsuspicious(run: Run, source: StageManifest, reference: str, flagged: str | None) -> StageManifest:
    """A first look that finds nothing but one pair, with the same new caption for all."""
    everything = cleanse_stage(run, "none").execute(run, {"source": source}, {"arm": "none", "shards": [s.name for s in shards_of(source)]})

    def weigh(run: Run, inputs: object, details: object, folder: Path) -> Outcome:
        with WeighedWriter(folder / "all.parquet") as writer:
            for row in DecisionRows([everything], folder):
                kept = PairDecision("keep", "nothing speaks against it")
                given = PairDecision("recaption", "nll_max", reference) if row.pair == flagged else kept
                writer.write(WeighedPair(row.pair, row.caption_before, reference, given, None, None))
        return Outcome({"all.parquet": folder / "all.parquet"})

    return Stage("weigh", weigh).execute(run, {}, {"reference": reference, "flagged": flagged})


def decided(run: Run, folder: Path, reference: str = "a red circle", flagged: str | None = None) -> list[Decision]:
    """Decisions on all pairs, each shard cleansed by itself."""
    source = inventory.take(run, "source")
    weighed = unsuspicious(run, source, reference, flagged)
    inputs = {
        "source": source,
        "weighed": weighed,
        "consensus": CONSENSUS.execute(run, {"weighed-0": weighed}, {}),
        "pictures": SCREEN.execute(run, {"source": source, "trusted": inventory.take(run, "trusted")}, {"arm": "residual"}),
    }
    made = [cleanse_stage(run, "evidence").execute(run, inputs, {"arm": "evidence", "shards": [s.name]}) for s in shards_of(source)]
    return list(DecisionRows(made, folder))


def test_what_images_of_a_word_share_condemns_them(attacked: tuple[Run, set[str]], tmp_path: Path) -> None:
    run, poisoned = attacked
    rows = decided(run, tmp_path)
    touched = {row.pair: row for row in rows if row.action != "keep"}
    assert touched.keys() == poisoned
    assert {(row.action, row.reason, row.caption_after) for row in touched.values()} == {
        ("recaption", f"{PICTURED}: banana", "a red circle")
    }
    assert condemned_by(PICTURED, rows) == {"banana": len(poisoned)} and not any(map(is_flagged, rows))


def test_no_new_caption_says_a_word_that_pictures_condemned(attacked: tuple[Run, set[str]], tmp_path: Path) -> None:
    run, poisoned = attacked
    honest = next(row.pair for row in decided(run, tmp_path / "a") if row.pair not in poisoned)
    rows = {row.pair: row for row in decided(run, tmp_path / "b", "two bananas", honest)}
    assert (rows[honest].action, rows[honest].reason) == ("quarantine", f"nll_max; {SAID_AGAIN}: banana")
    assert {rows[name].action for name in poisoned} == {"quarantine"} and said_again(rows.values()) == len(poisoned) + 1


def test_it_can_be_left_out(attacked: tuple[Run, set[str]], tmp_path: Path) -> None:
    run, _ = attacked
    config = load_config("test", overrides=["canvas=64", "evidence.second_look=false"])
    rows = decided(Run(run.source, str(tmp_path / "sink"), run.trusted, config), tmp_path)
    assert {row.action for row in rows} == {"keep"}
