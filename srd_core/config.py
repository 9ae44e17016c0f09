"""The configuration of a run: one tree, every key with a default, unknown keys refused.

A profile is a YAML file of `srd_core/profiles` (or the user's own) that sets some keys; `--set key=value` overrides single ones.
Stages read slices of the tree, and only a slice's digest enters a stage's cache key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from srd_core.data.limits import Limits
from srd_core.errors import ConfigError
from srd_core.models.architecture import Architecture
from srd_core.models.schedule import Schedule, Through
from srd_core.policy.dqn_config import DqnConfig
from srd_core.reward.rule import RewardRule
from srd_core.suggestions import did_you_mean
from srd_core.synthesis.synthetic import SynthesisConfig

Screen = Literal[
    "abl", "abl-5", "abl-max", "abl-oracle", "ct", "drop", "nll", "pmi", "rare", "residual", "templates", "vdc", "vdc-min", "windows"
]
"""Baseline defences that screen the whole set and withhold what they condemn."""
Repair = Literal["augment", "finetune"]
"""Controls that leave the data as it came: training on images that are changed at random; afterwards, training on trusted pairs."""
Mode = Literal["none", "random", "srd", "evidence", Screen]
"""What can be done to the suspect set."""
Joined = Literal["collision", "collision-random", "collision-srd"]
"""Controls: the official code's join by file name, with no masks, random ones, and the policy's; see `srd_core.defences.collision`."""
Arm = Literal[Mode, Joined, "covered", "untreated", Repair]
"""What experiments compare. More controls: `covered`, see `srd_core.defences.covering`; and `untreated`, trained on the data as they came
like all others, where `none` is the model of an attacker who trained it himself."""
Protocol = Literal["p1", "p2"]

_DEEPEST, _LARGEST = 50, 100_000
"""Levels and values of a configuration, aliases counted as often as they stand there."""


class Section(BaseModel):
    """A part of the tree."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(Section):
    """A captioner of the trusted side: a saved one, or one trained on the trusted set, from nothing or from published parts."""

    path: str | None = Field(None, description="Folder or URI of a saved captioner; `package:scenes/base` ships with SRD. None: train")
    weights: str | None = Field(None, description="safetensors file or its URI with OpenFlamingo's published weights, to train on from")
    architecture: Architecture = Architecture()
    schedule: Schedule = Schedule(epochs=20)
    sight: float = Field(0.0, ge=0, description="Epochs of learning to see before learning to speak; see srd_core.models.sight")
    sight_through: Through = Field("patches", description="Who votes on words meanwhile: patch tokens, or the resampler's latents as well")
    stickers: float = Field(0.0, ge=0, le=1, description="Share of the training images that get a small sticker, told in the captions")
    veils: float = Field(0.0, ge=0, le=1, description="Share that get a faint pattern over the frame; see srd_core.models.marks")
    copies: int = Field(1, ge=1, description="Copies of each training image, each with other stickers and veils; an epoch sees them all")


class RewardConfig(Section):
    """What the policy is rewarded by (paper eq. 4-6, 9)."""

    encoder: str | None = Field(None, description="sentence-transformers model; None: the packaged all-MiniLM-L6-v2")
    encoder_revision: str | None = Field(None, description="Commit of an encoder on the hub; None: what the hub holds")
    language_model: str | None = Field(None, description="Causal LM for fluency (paper: gpt2-large); None: n-grams of the trusted captions")
    language_model_revision: str | None = Field(None, description="Commit of a language model on the hub; None: what the hub holds")
    alpha: float = Field(0.5, ge=0, le=1, description="Weight of semantic consistency in the SFS, the rest is fluency's")
    rule: RewardRule = RewardRule()


class PolicyConfig(Section):
    """Learning to mask."""

    kind: Literal["dqn", "ppo", "sac", "bandit"] = Field(
        "dqn", description="Learning algorithm; all get steps, images and network of `dqn`"
    )
    dqn: DqnConfig = DqnConfig()
    images: int = Field(2000, ge=1, description="Synthetic images to learn on")
    held_out: int = Field(300, ge=2, description="Synthetic images to measure on, never learned from")


class EvidenceConfig(Section):
    """The evidence mode's operating point and what follows from it."""

    false_positives: float = Field(0.005, gt=0, lt=0.5, description="Share of clean pairs that may be flagged")
    action: Literal["recaption", "quarantine"] = Field(
        "recaption", description="Give the reference's caption, unless it says a word found planted, or withhold"
    )
    second_look: bool = Field(
        True, description="Look at the set as a whole: for words that flagged pairs share, and for pictures that a word's images share"
    )
    channels: tuple[str, ...] = Field(
        ("nll_mean", "nll_max", "infidelity", "q_gain"),
        min_length=1,
        description="Scores of a pair; of these only q_gain needs a policy",
    )


class CleanseConfig(Section):
    """How decisions become shards."""

    mode: Mode = Field("evidence", description="The arm whose shards, decisions and model are handed back")
    quality: int = Field(90, ge=1, le=100, description="JPEG and WebP quality of the images that are written")
    verbatim: bool = Field(False, description="Keep the bytes of unmasked images: less loss, and whatever else is hidden in the files")
    shards_per_task: int = Field(1, ge=1, description="Shards that a worker takes at once; more mean fewer tasks in Prefect")


class RetrainConfig(Section):
    """What is retrained and compared."""

    arms: tuple[Arm, ...] = Field(("none", "random", "srd", "evidence"), description="What is compared; see docs/experiments.md")
    protocols: tuple[Protocol, ...] = Field(
        ("p1", "p2"), description="p1: retrained from base on what an arm leaves; p2: so is the model trained on the data as it came"
    )
    schedule: Schedule = Schedule()


class OracleConfig(Section):
    """What no defender knows. Experiments tell it to the controls that are named for it, and to nothing else; see `stages.arms.TOLD`."""

    poison_rate: float | None = Field(None, ge=0, le=1, description="Share of the suspect pairs that is poisoned, for the arm `abl-oracle`")
    truth: str | None = Field(None, description="List of poisoned pairs that `srd poison` wrote, for the arm `covered`")


class EvaluationConfig(Section):
    """What models are scored on. The attack is known in experiments only; no detector reads this section."""

    tests: dict[str, str] = Field(default_factory=dict, description="Domain → SOURCE of clean test shards. Empty: the trusted hold-out")
    attack: str | None = Field(None, description="Attack whose trigger is put on the test images; None: no ASR")
    target: str = Field("banana", description="Word that the attack plants")
    attacker: str | None = Field(None, description="SOURCE of the clean shards of an attacker who trains; None: he supplies data only")
    attacker_rate: float = Field(0.1, gt=0, le=1, description="Share of his pairs that he poisons, unless his attack poisons a copy of all")
    truth: str | None = Field(None, description="List of poisoned pairs that `srd poison` wrote, for detection figures")
    prompt: str | None = Field(None, description="What models are asked; None: what they were trained with")
    images: int | None = Field(None, ge=1, description="At most this many test images a domain")


class Config(Section):
    """Everything that a run depends on, besides its inputs."""

    seed: int = Field(0, description="Of everything that is drawn at random")
    work: str | None = Field(None, description="Where stages are kept (folder or s3://…), outside of SINK; None: SINK/stages")
    workers: int = Field(2, ge=0, description="Processes; 0: all in one, for tests and debuggers. Results do not depend on it")
    holdout: float = Field(0.15, gt=0, lt=1, description="Share of the trusted samples kept from all training, to calibrate and measure on")
    canvas: int = Field(64, ge=16, description="Side of the square that every model and the policy see, pixels")
    limits: Limits = Limits()
    base: ModelConfig = ModelConfig()
    reference: ModelConfig = ModelConfig()
    reward: RewardConfig = RewardConfig()
    synthesis: SynthesisConfig = SynthesisConfig()
    sparring: Schedule = Schedule()
    habituation: float = Field(0.5, ge=0, le=1, description="Share of the sparring images with a meaningless red square (paper: 0)")
    policy: PolicyConfig = PolicyConfig()
    bounds: int = Field(0, ge=0, description="Held-out synthetic images on which every action is tried (401 captions each); 0: none")
    evidence: EvidenceConfig = EvidenceConfig()
    cleanse: CleanseConfig = CleanseConfig()
    retrain: RetrainConfig = RetrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    oracle: OracleConfig = OracleConfig()

    @property
    def decoders(self) -> int:
        """Processes that decode images; there is always one, since nothing is decoded outside of them."""
        return max(self.workers, 1)

    def slice(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values under the dotted `keys`, as JSON-ready data."""
        tree = self.model_dump(mode="json")
        return {key: _descend(tree, key) for key in keys}


def profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    folder = resources.files("srd_core.profiles")
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_config(profile: str | None = None, file: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Defaults, then a profile or a file, then `key=value` overrides (values are YAML: `retrain.arms=[none, evidence]`).

    Raises:
        ConfigError: unknown profile, unreadable file, unknown key or bad value, each by name.
    """
    tree = _read(profile, file)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {override!r} is not key=value", hint="For example --set retrain.schedule.epochs=2")
        _assign(tree, key.strip(), parsed(value, f"--set {override!r}"))
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key, hint = ".".join(map(str, first["loc"])), "`srd config` prints every key with its value"
        problem = f"{key} = {first['input']!r}: {first['msg']}"
        if first["type"] == "extra_forbidden":
            problem, hint = f"unknown key {key!r}", did_you_mean(key, _names(Config)) + hint
        elif first["type"] == "model_type":
            below = ", ".join(name for name in _names(Config) if name.rpartition(".")[0] == key)
            problem, hint = f"{key} = {first['input']!r}: {key} is a section, not a key", f"In it are {below}"
        raise ConfigError(f"configuration: {problem}", hint=hint) from error


def quoted(value: object) -> str:
    """The text of `value` as a YAML string for an override, so that a path, or a name such as `no`, stays what it is."""
    return "'" + str(value).replace("'", "''") + "'"


def _names(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every section and every key below `section`, dotted."""
    for name, field in section.model_fields.items():
        yield f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name}.")


def _read(profile: str | None, file: Path | None) -> dict[str, Any]:
    if file is not None:
        if not file.is_file():
            problem = f"{file} is a folder" if file.is_dir() else f"there is no configuration file {file}"
            hint = "Give a YAML file, or --profile with one of " + ", ".join(profiles())
            raise ConfigError(problem, hint=hint)
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}", hint="Give a text file in YAML") from error
    elif profile is not None:
        if profile not in profiles():
            raise ConfigError(
                f"unknown profile {profile!r}", hint=did_you_mean(profile, profiles()) + "Choose one of: " + ", ".join(profiles())
            )
        text = resources.files("srd_core.profiles").joinpath(f"{profile}.yaml").read_text()
    else:
        return {}
    tree = parsed(text, str(file or profile))
    if not isinstance(tree, dict):
        raise ConfigError(f"{file or profile} is not a mapping of keys", hint="Start from a profile: `srd config --profile scenes`")
    return cast(dict[str, Any], _separate(tree))


def parsed(text: str, origin: str) -> object:
    """What a text in YAML says.

    Raises:
        ConfigError: it is none, or nested without end; names `origin` and the line.
    """
    try:
        tree = yaml.safe_load(text)
        _check_extent(tree)
        return tree
    except RecursionError as error:
        hint = "A configuration is a few levels deep: look for an alias (*name) inside of what it stands for"
        raise ConfigError(f"{origin} is nested too deeply, or holds itself", hint=hint) from error
    except (yaml.YAMLError, ValueError) as error:  # of a date or a number that is none
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{origin} is not YAML: {problem}{where}", hint="Check the indentation near the place named") from error


def _check_extent(tree: object) -> None:
    """Refuse what would never end when aliases become trees of their own."""
    left = [(tree, 0)]
    for seen in count():
        if not left:
            return
        node, depth = left.pop()
        if depth > _DEEPEST or seen > _LARGEST:
            raise RecursionError
        below = [*node, *node.values()] if isinstance(node, dict) else node if isinstance(node, list | tuple | set) else ()
        left += [(item, depth + 1) for item in below]


def _separate(node: Any) -> Any:
    """A copy in which YAML aliases are trees of their own, so that an override changes the one place that it names."""
    if isinstance(node, dict):
        return {key: _separate(value) for key, value in node.items()}
    return [_separate(value) for value in node] if isinstance(node, list) else node


def _assign(tree: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    for name in path:
        below = tree.setdefault(name, {})
        if not isinstance(below, dict):
            raise ConfigError(f"configuration: {key!r} goes below a plain value", hint="`srd config` prints every key with its value")
        tree = below
    tree[last] = value


def _descend(tree: dict[str, Any], key: str) -> Any:
    node: Any = tree
    for name in key.split("."):
        node = node[name]
    return node
