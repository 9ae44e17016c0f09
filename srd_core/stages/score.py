"""One model on one test domain: captions of clean and of triggered images, and every figure with its interval.

Without a named attack there is no ASR, and SC, LF and SFS are those of the clean images. An attack without a trigger has the same images
twice: its successes are false triggers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from srd_core.attacks.templates import is_replacement
from srd_core.data.manifest import StageManifest
from srd_core.reward.sfs import SemanticFidelity
from srd_core.scoring.asr import attack_success, false_trigger_rate, without_word
from srd_core.scoring.captioning import bleu_4, cider_per_image
from srd_core.scoring.intervals import Interval, bootstrap_cider, bootstrap_mean, wilson
from srd_core.scoring.scores import ModelScores
from srd_core.seeds import derive
from srd_core.stages.captioners import captioner
from srd_core.stages.local_models import reward_models
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.test_images import HOLDOUT, TestSet, attack_files, planted
from srd_core.stages.trusted import fidelity

_FILE = "scores.json"


def _score(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    config = run.config
    attack = planted(config)
    domain = details["domain"]
    test = TestSet(config, inputs["test"], attack, holdout_only=domain == HOLDOUT)
    model, reference = captioner(inputs["model"], folder), captioner(inputs["reference"], folder)
    model = model.asked(config.evaluation.prompt) if config.evaluation.prompt else model
    clean = model.caption(test.clean)
    triggered = model.caption(test.triggered) if attack else None
    scores = _figures(run, details, test, clean, triggered, reference.caption(test.clean), fidelity(run, inputs, folder))
    (folder / _FILE).write_text(scores.model_dump_json(indent=1))
    captions = {"keys": test.keys, "clean": clean, "tested": [test.keys[row] for row in test.tested], "triggered": triggered}
    (folder / "captions.json").write_text(json.dumps(captions, ensure_ascii=False, indent=1))
    return Outcome({_FILE: folder / _FILE, "captions.json": folder / "captions.json"}, scores.model_dump(mode="json"))


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
    common = {"arm": details["arm"], "protocol": details["protocol"], "domain": details["domain"], "seed": run.config.seed}
    quality = {"bleu_4": bleu_4(clean, test.references, seed), "cider": _cider(clean, test.references, seed)}
    fidelity_of_clean = _fidelity(scorer, clean, reference, seed)
    if triggered is None:
        return ModelScores(**common, n=len(clean), **quality, **fidelity_of_clean)
    references, expected = test.tested_references, [reference[row] for row in test.tested]
    success = attack_success(triggered, references, target, instead_of=test.instead_of)
    return ModelScores(
        **common,
        n=len(clean),
        n_excluded=success.excluded,
        **quality,
        **_fidelity(scorer, triggered, expected, seed),
        **{f"{name}_clean": figure for name, figure in fidelity_of_clean.items()},
        bleu_4_triggered=bleu_4(triggered, references, seed),
        cider_triggered=_cider(triggered, references, seed),
        cider_stripped=_cider([without_word(text, target) for text in triggered], references, seed),
        asr=success.asr,
        hits=success.hits,
        asr_raw=success.asr_raw,
        asr_template=wilson(sum(is_replacement(text, target) for text in triggered), len(triggered)),
        false_trigger=false_trigger_rate(clean, test.references, target),
    )


def _fidelity(scorer: SemanticFidelity, said: Sequence[str], reference: Sequence[str], seed: int) -> dict[str, Interval]:
    """SC, LF and SFS of captions, against those of the reference."""
    scores = scorer.score(list(said), list(reference))
    return {name: bootstrap_mean(getattr(scores, name), seed) for name in ("sc", "lf", "sfs")}


def _cider(said: Sequence[str], references: Sequence[Sequence[str]], seed: int) -> Interval:
    return bootstrap_cider(cider_per_image(said, references), seed)


def load_scores(manifest: StageManifest) -> ModelScores:
    """What this stage found."""
    return ModelScores.model_validate(manifest.facts)


_EVALUATION = ("evaluation.attack", "evaluation.target", "evaluation.images", "evaluation.prompt")
_READS = ("canvas", "holdout", "limits", "reward", *_EVALUATION, "seed")
SCORE = Stage("score", _score, _READS, named=lambda run: attack_files(run) | reward_models(run))
