"""What is made from the trusted set alone: the fluency model, the base model and the reference captioner."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from srd_core.config import ModelConfig
from srd_core.errors import ConfigError
from srd_core.hardware import Precision
from srd_core.models.flamingo import SETTINGS, FlamingoCaptioner, no_captioner
from srd_core.models.marks import with_marks
from srd_core.models.sight import teach_sight
from srd_core.reward.encoder import SentenceEncoder
from srd_core.reward.fluency import FluencyModel
from srd_core.reward.neural import NeuralFluency
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.sfs import SemanticFidelity
from srd_core.scenes.shipped import shipped
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner_files
from srd_core.stages.files import local_file, trusted_pairs
from srd_core.stages.local_models import model_digests
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.storage import open_storage

_PACKAGE = "package:"
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
    if config.stickers or config.veils:
        seed = derive(run.config.seed, role, "marks")
        shares = {"stickers": config.stickers, "veils": config.veils}
        pairs = with_marks(pairs, folder / "marked", **shares, seed=seed, copies=config.copies)
    architecture = config.architecture.model_copy(update={"canvas": run.config.canvas})
    model = FlamingoCaptioner.create(architecture, pairs.captions, seed=derive(run.config.seed, role, "weights"))
    if config.sight:
        seed = derive(run.config.seed, role, "sight")
        teach_sight(model.network, pairs, epochs=config.sight, seed=seed, through=config.sight_through)
    report = model.fit(pairs, config.schedule, seed=derive(run.config.seed, role, "fit"))
    return Outcome(captioner_files(model, folder), {"origin": "trained on the trusted set", "pairs": len(pairs), "fit": asdict(report)})


def file_digests(path: str | None) -> dict[str, str]:
    """Digest of every file below a folder that the configuration names, such as a saved captioner, by name."""
    if path is None:
        return {}
    storage = open_storage(str(shipped(path.removeprefix(_PACKAGE))) if path.startswith(_PACKAGE) else path)
    return {info.key: storage.digest(info.key) for info in storage.list()}


def saved_model(path: str, folder: Path) -> Path:
    """A saved captioner as a local folder.

    Raises:
        ConfigError: there is none.
        StorageError: it cannot be read.
    """
    if path.startswith(_PACKAGE):
        return shipped(path.removeprefix(_PACKAGE))
    storage = open_storage(path)
    if storage.stat(SETTINGS) is None:
        raise no_captioner(path)
    place = folder / "given"
    for info in storage.list():
        target = place / info.key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(storage.read_bytes(info.key))
    return place


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
    return file_digests(run.config.base.path) | model_digests(run, "base")


def _reference_files(run: Run) -> dict[str, str]:
    return file_digests(run.config.reference.path) | model_digests(run, "reference")


_TRUSTED = ("canvas", "holdout", "limits")
FLUENCY = Stage("fluency", _fluency, _TRUSTED)
BASE = Stage("base", _base, (*_TRUSTED, "base", "seed"), named=_base_files)
REFERENCE = Stage("reference", _reference, (*_TRUSTED, "reference", "seed"), named=_reference_files)
