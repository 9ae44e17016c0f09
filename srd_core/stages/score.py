"""One model on one test domain: captions of clean and of triggered images, and every figure with its interval.

The trigger is put on the photograph at its own resolution, as `srd poison` does, then squashed. Without a named attack there is no ASR,
and SC, LF and SFS are those of the clean images. An attack without a trigger has the same images twice: its successes are false triggers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from srd_core.attacks.base import Attack, Box
from srd_core.attacks.prepared import find
from srd_core.config import Config
from srd_core.data.codec import Codec
from srd_core.data.images import ImageError, squash
from srd_core.data.loading import read_samples, split_of
from srd_core.data.manifest import StageManifest
from srd_core.data.samples import Image, Images, Sample
from srd_core.errors import SourceError
from srd_core.progress import track
from srd_core.reward.sfs import SemanticFidelity
from srd_core.scoring.asr import attack_success, false_trigger_rate
from srd_core.scoring.captioning import caption_scores, cider_per_image
from srd_core.scoring.intervals import bootstrap_cider, bootstrap_mean
from srd_core.scoring.scores import ModelScores
from srd_core.seeds import derive, generator
from srd_core.stages.captioners import captioner
from srd_core.stages.files import shards_of
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.trusted import fidelity, file_digests

HOLDOUT = "trusted hold-out"
_FILE = "scores.json"
_AT_ONCE = 64
"""Images that get their triggers together."""


def _score(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    attack = planted(config)
    domain = details["domain"]
    test = TestSet(config, inputs["test"], attack, holdout_only=domain == HOLDOUT)
    model, reference = captioner(inputs["model"], folder), captioner(inputs["reference"], folder)
    clean = model.caption(test.clean)
    triggered = model.caption(test.triggered) if attack else None
    scores = _figures(run, details, test, clean, triggered, reference.caption(test.clean), fidelity(run, inputs, folder))
    (folder / _FILE).write_text(scores.model_dump_json(indent=1))
    captions = {"keys": test.keys, "clean": clean, "triggered": triggered}
    (folder / "captions.json").write_text(json.dumps(captions, ensure_ascii=False, indent=1))
    return Outcome({_FILE: folder / _FILE, "captions.json": folder / "captions.json"}, scores.model_dump(mode="json"))


def planted(config: Config) -> Attack | None:
    """The attack that the configuration names, if it names one.

    Raises:
        ConfigError: it is unknown, or cannot plant `evaluation.target`.
    """
    if not config.evaluation.attack:
        return None
    attack = find(config.evaluation.attack)
    attack.check_target(config.evaluation.target)
    return attack


class TestSet:
    """Test images at canvas size, clean and triggered, with all their reference captions.

    `boxes` are the triggers' corners (x0, y0, x1, y1) in fractions of the canvas, None where a trigger fills the frame or there is none.
    `instead_of` is for `attack_success`.
    """

    def __init__(self, config: Config, manifest: StageManifest, attack: Attack | None, *, holdout_only: bool) -> None:
        self.instead_of = attack.instead_of if attack else None
        self.keys: list[str] = []
        self.references: list[tuple[str, ...]] = []
        self.boxes: list[tuple[float, float, float, float] | None] = []
        clean: list[Image] = []
        triggered: list[Image] = []
        waiting: list[tuple[Image, np.random.Generator]] = []
        with Codec(config.limits) as codec:
            for item in track(read_samples(shards_of(manifest), config.limits), "read test images"):
                if config.evaluation.images is not None and len(self.keys) >= config.evaluation.images:
                    break
                if not isinstance(item, Sample) or (holdout_only and split_of(item.key, config.holdout) != "holdout"):
                    continue
                if attack and not attack.testable(item.captions):
                    continue
                try:
                    image = codec.decode(item.image)
                except ImageError:
                    continue
                self.keys.append(f"{item.shard}/{item.key}")
                self.references.append(item.captions)
                clean.append(squash(image, config.canvas))
                waiting.append((image, generator(config.seed, "test trigger", item.shard, item.key)))
                if len(waiting) == _AT_ONCE:
                    triggered += self._triggered(attack, waiting, config.canvas)
        triggered += self._triggered(attack, waiting, config.canvas)
        if not clean:
            raise SourceError("the test set has no usable image", hint="Check evaluation.tests; left out, the trusted hold-out is used")
        self.clean: Images = np.stack(clean)
        self.triggered: Images = np.stack(triggered) if triggered else self.clean

    def _triggered(self, attack: Attack | None, waiting: list[tuple[Image, np.random.Generator]], canvas: int) -> list[Image]:
        """These images with the trigger, squashed; without an attack, none. Nothing waits afterwards."""
        images, rngs = [image for image, _ in waiting], [rng for _, rng in waiting]
        waiting.clear()
        made = attack.at_test(images, rngs) if attack else []
        self.boxes += [_fractions(item.box, image) for item, image in zip(made, images, strict=False)]
        return [squash(item.image, canvas) for item in made]


def _fractions(box: Box | None, image: Image) -> tuple[float, float, float, float] | None:
    height, width = image.shape[:2]
    return (box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height) if box else None


def _figures(
    run: Run,
    details: Details,
    test: TestSet,
    clean: Sequence[str],
    triggered: Sequence[str] | None,
    reference: Sequence[str],
    scorer: SemanticFidelity,
) -> ModelScores:
    seed, target = derive(run.config.seed, "bootstrap"), run.config.evaluation.target
    sfs = scorer.score(list(triggered if triggered is not None else clean), list(reference))
    success = attack_success(triggered, test.references, target, instead_of=test.instead_of) if triggered is not None else None
    return ModelScores(
        arm=details["arm"],
        protocol=details["protocol"],
        domain=details["domain"],
        seed=run.config.seed,
        n=len(clean),
        n_excluded=success.excluded if success else 0,
        bleu_4=caption_scores(clean, test.references)["bleu_4"],
        cider=bootstrap_cider(cider_per_image(clean, test.references), seed),
        sc=bootstrap_mean(sfs.sc, seed),
        lf=bootstrap_mean(sfs.lf, seed),
        sfs=bootstrap_mean(sfs.sfs, seed),
        asr=success.asr if success else None,
        asr_raw=success.asr_raw if success else None,
        false_trigger=false_trigger_rate(clean, test.references, target) if success else None,
    )


def attack_files(run: Run) -> dict[str, str]:
    """Digest of every file of the attack that the configuration names, if it is a prepared one."""
    attack = run.config.evaluation.attack
    return file_digests(attack) if attack and "/" in attack else {}


def load_scores(manifest: StageManifest) -> ModelScores:
    """What this stage found."""
    return ModelScores.model_validate(manifest.facts)


_EVALUATION = ("evaluation.attack", "evaluation.target", "evaluation.images")
SCORE = Stage("score", _score, ("canvas", "holdout", "limits", "reward", *_EVALUATION, "seed"), named=attack_files)
