"""What is made from the trusted set alone: the fluency model, the base model and the reference captioner."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from srd_core.config import ModelConfig
from srd_core.data.canvas import CanvasSet
from srd_core.errors import ConfigError
from srd_core.hardware import Precision
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.models.marks import with_marks
from srd_core.models.published import load_published
from srd_core.models.schedule import FitReport
from srd_core.models.sight import teach_sight
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.fluency import FluencyModel
from srd_core.reward.neural import NeuralFluency
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.sfs import SemanticFidelity
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner_files
from srd_core.stages.files import local_file, trusted_pairs
from srd_core.stages.given import file_digest_at, file_digests, saved_model
from srd_core.stages.local_models import model_digests
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.storage import file_at

_NGRAM = "fluency.json.gz"


def _fluency(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    pairs = trusted_pairs(run, inputs["trusted"], folder, "fit")
    path = folder / _NGRAM
    NgramFluency().fit(pairs.captions).save(path)
    return Outcome({_NGRAM: path}, {"captions": len(pairs)})


def _base(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    return _model(run, run.config.base, "base", inputs, folder)


def _reference(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    return _model(run, run.config.reference, "reference", inputs, folder)


def _model(run: Run, config: ModelConfig, role: str, inputs: Inputs, folder: Path) -> Outcome:
    if config.path is not None:
        model = FlamingoCaptioner.load(saved_model(config.path, folder))
        if model.canvas != run.config.canvas:
            problem = f"{role}.path {config.path} is a model for images of {model.canvas} pixels, and canvas is {run.config.canvas}"
            raise ConfigError(problem, hint=f"--set canvas={model.canvas}, or give the profile that it was made with")
        return Outcome(captioner_files(model, folder), {"origin": config.path})
    pairs = trusted_pairs(run, inputs["trusted"], folder, "fit")
    made = train_new(config, pairs, run.config.canvas, seed=run.config.seed, role=role, folder=folder)
    facts = {"origin": "trained on the trusted set", "pairs": made.pairs, "fit": asdict(made.report)}
    return Outcome(captioner_files(made.model, folder), facts)


class Trained(NamedTuple):
    """A new captioner, how many pairs it saw, copies too, and how it was trained on them."""

    model: FlamingoCaptioner
    pairs: int
    report: FitReport


def train_new(config: ModelConfig, pairs: CanvasSet, canvas: int, *, seed: int, role: str, folder: Path) -> Trained:
    """The captioner that `config` describes, trained on `pairs`; `folder` is scratch.

    Raises:
        ConfigError: its weights are not those of its architecture.
    """
    if config.stickers or config.veils:
        shares = {"stickers": config.stickers, "veils": config.veils}
        pairs = with_marks(pairs, folder / "marked", **shares, seed=derive(seed, role, "marks"), copies=config.copies)
    architecture = config.architecture.model_copy(update={"canvas": canvas})
    model = FlamingoCaptioner.create(architecture, pairs.captions, seed=derive(seed, role, "weights"))
    if config.weights:
        storage, name = file_at(config.weights)
        load_published(model.network, storage.fetch(name, folder))
    if config.sight:
        teach_sight(model.network, pairs, epochs=config.sight, seed=derive(seed, role, "sight"), through=config.sight_through)
    return Trained(model, len(pairs), model.fit(pairs, config.schedule, seed=derive(seed, role, "fit")))


def fidelity(run: Run, inputs: Inputs, folder: Path, precision: Precision = "float32") -> SemanticFidelity:
    """The SFS scorer that the configuration asks for, with the n-gram model of the `fluency` input; `precision` of the sentence encoder."""
    reward = run.config.reward
    model: FluencyModel = (
        NeuralFluency(reward.language_model, reward.language_model_revision) if reward.language_model else fluency_of(inputs, folder)
    )
    encoder = SentenceEncoder(reward.encoder, revision=reward.encoder_revision, precision=precision)
    return SemanticFidelity(encoder, model, reward.alpha)


def fluency_of(inputs: Inputs, folder: Path) -> NgramFluency:
    """The n-gram model of the trusted captions."""
    return NgramFluency.load(local_file(inputs["fluency"].outputs[_NGRAM], folder / "fluency"))


def _base_files(run: Run) -> dict[str, str]:
    return _model_files(run, run.config.base, "base")


def _reference_files(run: Run) -> dict[str, str]:
    return _model_files(run, run.config.reference, "reference")


def _model_files(run: Run, config: ModelConfig, role: str) -> dict[str, str]:
    return file_digests(config.path) | file_digest_at(config.weights, "weights") | model_digests(run, role)


_TRUSTED = ("canvas", "holdout", "limits")
FLUENCY = Stage("fluency", _fluency, _TRUSTED)
BASE = Stage("base", _base, (*_TRUSTED, "base", "seed"), named=_base_files)
REFERENCE = Stage("reference", _reference, (*_TRUSTED, "reference", "seed"), named=_reference_files)
