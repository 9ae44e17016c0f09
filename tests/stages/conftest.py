"""A whole run at its smallest, stage by stage, made once: 40 trusted scenes, 30 suspect ones with a third of the pairs poisoned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from srd_core.attacks.poison import PoisonSummary, poison_shards
from srd_core.attacks.registry import get
from srd_core.config import Config, load_config
from srd_core.data.manifest import StageManifest
from srd_core.scenes.dataset import write_shards
from srd_core.stages import inventory
from srd_core.stages.arms import NEEDS
from srd_core.stages.calibrate import CALIBRATE
from srd_core.stages.claim import claim
from srd_core.stages.cleanse import cleanse_stage
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.files import shards_of
from srd_core.stages.learn import LEARN
from srd_core.stages.report import REPORT
from srd_core.stages.retrain import MODEL, RETRAIN
from srd_core.stages.score import HOLDOUT, SCORE
from srd_core.stages.screen import SCREEN
from srd_core.stages.spar import SPAR
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.synthesize import SYNTHESIZE
from srd_core.stages.trusted import BASE, FLUENCY, REFERENCE
from srd_core.stages.weigh import WEIGH
from tests.servers import Seaweed, seaweed
from tests.stages.watched import undeclared, watched

FAST = ["seed=1", "policy.dqn.steps=96", "policy.dqn.points=2", "evaluation.attack=badnet", "evaluation.images=8"]


@dataclass
class Pipeline:
    """`pipeline.make("spar")` gives the manifest of that stage, made now or before."""

    run: Run
    truth: PoisonSummary
    made: dict[str, StageManifest] = field(default_factory=dict)

    def make(self, name: str) -> StageManifest:
        if name not in self.made:
            self.made[name] = self._stage(name)
        return self.made[name]

    def inputs(self, *names: str, **renamed: str) -> dict[str, StageManifest]:
        return {name: self.make(name) for name in names} | {role: self.make(name) for role, name in renamed.items()}

    def _execute(self, stage: Stage, inputs: dict[str, StageManifest], details: Details | None = None) -> StageManifest:
        return stage.execute(self.run, inputs, details or {})

    def _stage(self, name: str) -> StageManifest:
        if name in ("source", "trusted"):
            return inventory.take(self.run, name)
        shards = [shard.name for shard in shards_of(self.make("source"))] if name.startswith(("cleansed-", "weighed")) else []
        if name == "weighed":
            needs = self.inputs("source", "base", "reference", "fluency", "policy", "calibration")
            return self._execute(WEIGH, needs, {"shards": shards})
        if name == "pictures":
            return self._execute(SCREEN, self.inputs("source", "trusted", "base"), {"arm": "residual"})
        if name == "consensus":
            return self._execute(CONSENSUS, {"weighed-0": self.make("weighed")})
        if name.startswith("cleansed-"):
            arm = name.removeprefix("cleansed-")
            needs = self.inputs("source", *NEEDS[arm])  # type: ignore[index]
            details = {"arm": arm, "shards": shards}
            return self._execute(cleanse_stage(self.run, arm), needs, details)  # type: ignore[arg-type]
        arms = {"arm": "evidence", "protocol": "p1"}
        plans: dict[str, Callable[[], StageManifest]] = {
            "fluency": lambda: self._execute(FLUENCY, self.inputs("trusted")),
            "base": lambda: self._execute(BASE, self.inputs("trusted")),
            "reference": lambda: self._execute(REFERENCE, self.inputs("trusted")),
            "synthetic": lambda: self._execute(SYNTHESIZE, self.inputs("trusted")),
            "sparring": lambda: self._execute(SPAR, self.inputs("trusted", "synthetic", "base")),
            "policy": lambda: self._execute(LEARN, self.inputs("synthetic", "sparring", "reference", "fluency")),
            "calibration": lambda: self._execute(CALIBRATE, self.inputs("trusted", "base", "reference", "fluency", "policy")),
            "model": lambda: self._execute(RETRAIN, {"start": self.make("base"), "cleansed-0": self.make("cleansed-evidence")}, arms),
            "handed": lambda: self._execute(MODEL, self.inputs("model")),
            "score": lambda: self._execute(
                SCORE, self.inputs("model", "reference", "fluency", test="trusted"), {**arms, "domain": HOLDOUT}
            ),
            "report": lambda: self._execute(REPORT, self.reported),
        }
        return plans[name]()

    @property
    def reported(self) -> dict[str, StageManifest]:
        """What the report is made of."""
        arms = {f"cleansed-{arm}-0": self.make(f"cleansed-{arm}") for arm in ("evidence", "srd")}
        return self.inputs("source", "trusted", "fluency", "policy", "calibration") | arms | {"score-evidence": self.make("score")}


@pytest.fixture(scope="session", autouse=True)
def _only_declared_settings_are_read() -> Iterator[None]:
    """Of every stage that a test here executes: what it read and did not declare is in no key, so a change of it would go unseen."""

    def make(self: Stage, run: Run, key: str, inputs: Inputs, details: Details) -> StageManifest:
        asked: set[str] = set()

        @wraps(self.work)  # its module is in the key
        def work(_: Run, *rest: Any) -> Outcome:
            outcome = self.work(watched(run, asked), *rest)
            assert undeclared(self, asked) == set(), f"{self.name} reads settings that it does not declare"
            return outcome

        return _make(replace(self, work=work), run, key, inputs, details)

    _make = Stage._make
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stage, "_make", make)
        yield


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    root = tmp_path_factory.mktemp("pipeline")
    write_shards(root / "trusted", 40, seed=1, side=32)
    clean = write_shards(root / "clean", 30, seed=2, side=32, per_shard=15)
    truth = poison_shards(
        clean, root / "suspect", attack=get("badnet"), rate=0.33, target="banana", seed=3, report=root / "truth" / "poisoned.json"
    )
    config = load_config("test", overrides=[*FAST, f"evaluation.truth={truth.report}"])
    made = Pipeline(Run(str(root / "suspect"), str(root / "sink"), str(root / "trusted"), config), truth)
    claim(made.run, made.inputs("source", "trusted"))
    return made


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of its own, for stages that a test makes up."""
    return Run(str(tmp_path / "source"), str(tmp_path / "sink"), str(tmp_path / "trusted"), Config())


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A server with the bucket `stages`."""
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        server.make_bucket("stages")
        yield server
