"""What an experiment is made of: a suspect set with a known attack planted in it, trusted and test shards, and the truth beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from srd_core.attacks.base import Attack
from srd_core.attacks.poison import Unit, poison_shards
from srd_core.attacks.prepared import prepare, save
from srd_core.attacks.settings import configured, settings_of
from srd_core.config import quoted
from srd_core.data.inventory import open_shard, take_inventory
from srd_core.data.manifest import digest
from srd_core.errors import ConflictError
from srd_core.experiments.shifts import SHIFTS, shift_shards
from srd_core.seeds import derive
from srd_core.stages.code import check_unedited, code_digest

TRUTH = "suspect.poisoned.json"
"""The list of poisoned pairs, written when all else has been."""
_DONE, _MADE_OF = ".done", "made-of"


class Planted(BaseModel):
    """What is planted, whatever it is planted in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attack: str = "badnet"
    target: str = Field("banana", description="Word to plant; an attack that can plant one word only plants that")
    rate: float = Field(0.1, ge=0, le=1, description="Share of the suspect pairs that is poisoned; 0 for a clean set")
    unit: Unit = Field("pair", description="What the rate is a share of: pairs, or images with all their captions")
    seed: int = 0
    shift: str = Field("", description="How the attacker's data differs from the model's world; see `srd_core.experiments.shifts`")
    shifted: float = Field(1.0, ge=0, le=1, description="Share of the suspect samples that is shifted")
    test_shifts: tuple[str, ...] = Field((), description="Shifts of the first test set that are test sets of their own")
    settings: dict[str, bool | int | float | str | None] = Field(
        default_factory=dict, description="Settings of the attack that are not its defaults; see the fields of its class"
    )

    @field_validator("shift", "test_shifts")
    @classmethod
    def _shifts_are_known(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in filter(None, (given,)) if isinstance(given, str) else given:
            if name not in SHIFTS:
                raise ValueError(f"there is no shift {name!r}; choose one of: {', '.join(SHIFTS)}")
        return given

    @property
    def whole(self) -> dict[str, Any]:
        """JSON-ready, with every setting of the attack: a default that is changed later makes another experiment.

        Raises:
            ConfigError: as `made`.
        """
        return {**self.model_dump(mode="json"), "settings": settings_of(self.made)}

    @property
    def content(self) -> dict[str, str]:
        """What tells data apart that have lain in the same place, by role; nothing where settings and code make all of them."""
        return {}

    @property
    def made(self) -> Attack:
        """The attack, with its settings.

        Raises:
            ConfigError: unknown attack, or settings that it does not have.
        """
        return configured(self.attack, self.settings)

    @property
    def planted(self) -> str:
        """The word that is planted.

        Raises:
            ConfigError: as `made`.
        """
        return self.made.destination or self.target


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """Where everything is."""

    source: str
    trusted: str
    tests: dict[str, str]
    truth: Path
    """The list of poisoned pairs, which no defence may read."""
    attack: str
    """Its name, or the folder of what it has worked out."""
    target: str
    attacker: str | None = None
    """The clean pairs of an attacker who trains; none where nothing is planted."""
    attacker_rate: float | None = None
    """Share of them that he poisons, if his attack leaves it open."""
    rate: float = 0.0
    """Share of the suspect pairs that is poisoned, as the list has it."""

    def overrides(self) -> list[str]:
        """The settings that make a run measure this experiment: `evaluation`, which no defence reads, and what `oracle` arms are told."""
        tests = ", ".join(f"{quoted(name)}: {quoted(path)}" for name, path in self.tests.items())
        known = {"attack": self.attack, "target": self.target, "truth": self.truth, "attacker": self.attacker}
        measured = [f"evaluation.{key}={quoted(value)}" for key, value in known.items() if value]
        measured += [f"evaluation.attacker_rate={self.attacker_rate}"] if self.attacker_rate else []
        return [f"evaluation.tests={{{tests}}}", *measured, f"oracle.poison_rate={self.rate}", f"oracle.truth={quoted(self.truth)}"]


def plant(
    what: Planted, clean: str, folder: Path, surrogate: str | None, seed: int, *, trusted: str, tests: dict[str, str]
) -> ExperimentData:
    """The experiment with a poisoned copy of the shards at `clean` as `folder/suspect`, unless it is there.

    What an attacker has is shifted as the experiment says, and the first test set where it asks for that. A copy that was not finished is
    begun again.

    Raises:
        ConfigError: unknown attack, settings that it does not have, or one that has to be optimised and no surrogate.
        SourceError: nothing at `clean`, or nothing that can be poisoned.
        ConflictError: code that makes the experiment was edited meanwhile.
    """
    source, kept, truth, attack = folder / "suspect", folder / "attack", folder / TRUTH, what.made
    owned = str(folder / "shifted") if what.shift else clean
    if not truth.exists():
        rmtree(source, ignore_errors=True)
        if what.shift:
            shift_shards(clean, folder / "shifted", what.shift, share=what.shifted, seed=derive(seed, "shift"))
        _poison(what, owned, source, kept, surrogate, seed)
        try:
            _check_code(what)
        except ConflictError:
            truth.unlink()
            raise
    told = json.loads(truth.read_text(encoding="utf-8"))
    return ExperimentData(
        source=str(source),
        trusted=trusted,
        tests=_with_shifts(tests, what, folder),
        truth=truth,
        attack=str(kept) if attack.needs_encoder or what.settings else attack.name,
        target=what.planted,
        attacker=owned if attack.trains and what.rate else None,
        attacker_rate=what.rate if attack.trains and not attack.poisons_all and what.rate else None,
        rate=len(told["poisoned"]) / max(told["pairs"], 1),
    )


def mark_of(what: Planted, surrogate: str | None, *inputs: str) -> str:
    """Digest of the settings, of the code that makes the experiment of them, and of its `inputs`.

    Raises:
        ConflictError: that code has been edited since this process started.
    """
    _check_code(what)
    code = [code_digest(module) for module in _modules(what)]
    weights = weights_of(surrogate) if what.made.needs_encoder else {}
    return digest({"settings": what.whole, "code": code, "inputs": inputs, "surrogate": weights})


def _modules(what: Planted) -> list[str]:
    return sorted({type(what).__module__, type(what.made).__module__})


def _check_code(what: Planted) -> None:
    for module in _modules(what):
        check_unedited(module, "the data of an experiment")


def begin(folder: Path, mark: str) -> None:
    """Have all of `folder` made again that has another mark."""
    note = folder / _MADE_OF
    if note.exists() and note.read_text(encoding="utf-8") == mark:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for done in (folder / TRUTH, *folder.glob(f"*/{_DONE}")):
        done.unlink(missing_ok=True)
    note.write_text(mark, encoding="utf-8")


def weights_of(surrogate: str | None) -> dict[str, str]:
    """Digests of the files of the captioner on whose encoder attacks are optimised."""
    from srd_core.stages.given import file_digests

    return file_digests(surrogate)


def _poison(what: Planted, clean: str, source: Path, kept: Path, surrogate: str | None, seed: int) -> None:
    """The poisoned copy `source`, the list beside it, and in `kept` the attack, where it has anything of its own."""
    attack = what.made
    shards = {shard.name: partial(open_shard, shard) for shard in take_inventory(clean).shards}
    ready = worked_out(attack, clean, surrogate, kept, seed)
    if what.settings and not attack.needs_encoder:
        save(attack, kept)
    poison_shards(shards, source, attack=ready, rate=what.rate, target=what.planted, seed=seed, unit=what.unit)


def _with_shifts(tests: dict[str, str], what: Planted, folder: Path) -> dict[str, str]:
    """The test sets, and the first one shifted in each of the ways asked for."""
    first, made = next(iter(tests.values())), dict(tests)
    for name in what.test_shifts:
        place = folder / name
        if not (place / _DONE).exists():
            shift_shards(first, place, name, seed=derive(what.seed, "experiment", "test shift"))
            (place / _DONE).touch()
        made[name] = str(place)
    return made


def worked_out(attack: Attack, source: str, surrogate: str | None, folder: Path, seed: int) -> Attack:
    """The attack with what it works out from the images of `source` on the saved captioner `surrogate`, kept in `folder`.

    Unchanged if it needs nothing, or if there is no surrogate.
    """
    if not attack.needs_encoder or surrogate is None:
        return attack
    from srd_core.models.flamingo import FlamingoCaptioner
    from srd_core.stages.given import saved_model

    with TemporaryDirectory(prefix="srd-poison-") as scratch:
        made = prepare(attack, source, FlamingoCaptioner.load(saved_model(surrogate, Path(scratch))), seed=seed)
    save(made, folder)
    return made
