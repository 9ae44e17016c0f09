"""The last look at a run: scores, verdict and the page, gathered from what the stages left. Computes nothing that decides anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from srd_core import __version__
from srd_core.config import Arm
from srd_core.data.decisions import CONDEMNED, Decision, DecisionWriter
from srd_core.data.images import decode
from srd_core.data.inventory import Inventory
from srd_core.data.manifest import StageManifest, digest
from srd_core.defences.calibration import Calibration
from srd_core.defences.weighed import PICTURED, SECOND_LOOK
from srd_core.policy.learned import LearnedPolicy
from srd_core.report.data import Accounting, Attention, OperatingPoint, PolicyFigures, Provenance, ReportData
from srd_core.report.html import render
from srd_core.report.verdict import BackdoorEffect, Findings, WordEvidence, decide
from srd_core.scoring.scores import Interval, ModelScores, Scores
from srd_core.stages.attention import SHEET
from srd_core.stages.calibrate import load_calibration
from srd_core.stages.claim import WITHOUT_EFFECT
from srd_core.stages.decided import FLAGGED
from srd_core.stages.evidence_found import (
    DecisionRows,
    accounting,
    condemned_by,
    is_flagged,
    mask_counts,
    said_again,
    surplus,
    suspicious_words,
    was_judged,
)
from srd_core.stages.exhibits import gallery, q_maps
from srd_core.stages.files import local_file, local_folder
from srd_core.stages.gaps import gaps
from srd_core.stages.learned import curve_of, held_out_of
from srd_core.stages.likeness import likeness
from srd_core.stages.origin import code
from srd_core.stages.score import load_scores
from srd_core.stages.screen import silence, suspicion
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage
from srd_core.stages.trusted import fluency_of
from srd_core.stages.truth import Suspicion, coverage_by_masks, detection, done, truth_digest


def _report(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
    arms: dict[Arm, list[StageManifest]] = {}
    for name, manifest in inputs.items():
        if name.startswith("cleansed-"):
            arms.setdefault(manifest.facts["arm"], []).append(manifest)  # type: ignore[arg-type]
    mode = run.config.cleanse.mode
    rows = {arm: DecisionRows(parts, folder / "decisions" / arm) for arm, parts in arms.items()}
    weighed: Iterable[Decision] = rows.get("evidence", ())
    learned = inputs.get("policy")
    policy = LearnedPolicy.load(local_folder(learned, folder / "learned", "policy")) if learned else None
    thresholds = load_calibration(inputs, folder) if "calibration" in inputs else None
    looked = dict(inputs["attention"].facts) if "attention" in inputs else {}
    far, unlike = likeness(weighed, thresholds) if thresholds else (None, False)
    found = detection(run, rows, _suspicion(inputs, folder))
    scores = Scores(
        models=_models(inputs),
        detection=found,
        done=done(run, rows),
        distance=far,
        silent=_silent(inputs),
        policy=_policy(run, inputs, rows),
        attention=looked,
    )
    words = tuple(suspicious_words(weighed))
    account = accounting(rows[mode])
    silent = silence(inputs["pictures"]) if "pictures" in inputs else ""
    judged = replace(_findings(run, account, rows.get("evidence"), words, thresholds), unlike=far if unlike else None, silent=silent)
    ended, effect = sum(account.ended.values()), _effect(run, scores)
    verdict = decide(judged, actions=account.actions, ended=ended, backdoor=effect, weighed="evidence" in rows)
    shown: Arm = "srd" if mode == "none" and "srd" in rows else mode
    data = ReportData(
        title=f"Cleansing of {run.source}",
        verdict=verdict,
        accounting=account,
        provenance=_provenance(run, inputs),
        handed_back=mode,
        scores=scores,
        curve=curve_of(learned) if learned else None,
        policy=PolicyFigures(*held_out_of(learned)) if learned else None,
        masks=mask_counts(rows["srd"], policy.space) if policy and "srd" in rows else None,
        gallery=gallery(run, inputs["source"], rows[shown], verdict.figures.behind, thresholds),
        q_maps=q_maps(run, inputs["source"], rows[shown], policy) if policy else (),
        words=words,
        surplus=tuple(surplus(rows[mode], fluency_of(inputs, folder))),
        attention=_attention(inputs, folder),
        calibration=_calibration(run, thresholds) if thresholds else None,
        reasons=gaps(run.config, inputs, rows, shown),
    )
    paths = {name: folder / name for name in ("scores.json", "verdict.json", "report.html")}
    paths["scores.json"].write_text(scores.model_dump_json(indent=1))
    paths["verdict.json"].write_text(verdict.model_dump_json(indent=1))
    paths["report.html"].write_bytes(render(data))
    if mode != "evidence" and "evidence" in rows:
        paths[FLAGGED] = _flagged(rows["evidence"], folder / FLAGGED)
    return Outcome(paths, {"status": verdict.status})


def _flagged(rows: Iterable[Decision], path: Path) -> Path:
    with DecisionWriter(path) as writer:
        for row in rows:
            if row.action in CONDEMNED:
                writer.write(row)
    return path


def _attention(inputs: Inputs, folder: Path) -> Attention | None:
    made = inputs.get("attention")
    if made is None or SHEET not in made.outputs:
        return None
    sheet = decode(local_file(made.outputs[SHEET], folder / "attention").read_bytes())
    shares = {
        name: Interval.model_validate(made.facts[name]) for name in ("backdoored", "clean", "difference", "appearing") if name in made.facts
    }
    return Attention(sheet, **shares, area=cast(float | None, made.facts.get("area")))


def _suspicion(inputs: Inputs, folder: Path) -> dict[Arm, Suspicion]:
    """The scores of the baseline defences."""
    return {arm: suspicion(manifest, folder / manifest.key[:16]) for arm, manifest in _screened(inputs)}


def _silent(inputs: Inputs) -> dict[str, str]:
    return {arm: why for arm, manifest in _screened(inputs) if (why := silence(manifest))}


def _screened(inputs: Inputs) -> list[tuple[Arm, StageManifest]]:
    return [(cast(Arm, manifest.facts["arm"]), manifest) for name, manifest in inputs.items() if name.startswith("screen-")]


def _policy(run: Run, inputs: Inputs, rows: Mapping[Arm, Iterable[Decision]]) -> dict[str, Any]:
    """Held-out figures of learning, and what is known of the planted attack: on test images (probe) and in the data (truth).

    Random masks need no policy, and their coverage is the control: it is there without one too.
    """
    attack = {label: inputs[name].facts for label, name in (("attack", "probe"), ("bounds", "bounds")) if name in inputs}
    learned = {name: inputs["policy"].facts[name] for name in ("kind", "reward_calls", "held_out")} if "policy" in inputs else {}
    return {**learned, **attack, **coverage_by_masks(run, rows)}


def _models(inputs: Inputs) -> tuple[ModelScores, ...]:
    return tuple(load_scores(manifest) for name, manifest in inputs.items() if name.startswith("score-"))


def _findings(
    run: Run, account: Accounting, weighed: DecisionRows | None, words: Sequence[WordEvidence], thresholds: Calibration | None
) -> Findings:
    """What evidence says, whichever arm's data is handed back and accounted for; without it, that nothing was judged."""
    readable = account.pairs - account.actions.get("reject", 0)
    judged = readable if weighed is None else sum(map(was_judged, weighed))
    return Findings(
        pairs=judged,
        flagged=sum(map(is_flagged, weighed or ())),
        unseen=readable - judged,
        budget=run.config.evidence.false_positives,
        words=words,
        calibrated_on=thresholds.pairs if thresholds else None,
        recall=thresholds.recall if thresholds else {},
        shared=condemned_by(SECOND_LOOK, weighed or ()),
        pictured=condemned_by(PICTURED, weighed or ()),
        said_again=said_again(weighed or ()) if run.config.cleanse.mode == "evidence" else 0,
    )


def _effect(run: Run, scores: Scores) -> BackdoorEffect | None:
    """Attack success of the models trained on the data as it came and as handed back, on the first test domain. None if nothing was."""
    if run.config.cleanse.mode == "none":
        return None
    found = {(row.arm, row.domain): row.asr for row in scores.models if row.protocol == "p1"}
    domain = next((row.domain for row in scores.models), "")
    before, after = found.get(("none", domain)), found.get((run.config.cleanse.mode, domain))
    trains = run.config.evaluation.attacker is not None
    return BackdoorEffect(before=before, after=after, protocol="P1", attacker_trains=trains) if before and after else None


def _calibration(run: Run, made: Calibration) -> OperatingPoint:
    unused = tuple(sorted(made.scales.keys() - made.thresholds.keys()))
    return OperatingPoint(run.config.evidence.false_positives, made.pairs, made.thresholds, made.recall, made.clean_flagged, unused)


def _provenance(run: Run, inputs: Inputs) -> Provenance:
    config = run.config
    listed = {name: inputs[name] for name in ("source", "trusted") if name in inputs}
    inventories = {name: Inventory.model_validate(manifest.facts["inventory"]) for name, manifest in listed.items()}
    told = {"seed": config.seed, "canvas": config.canvas, "cleanse.mode": config.cleanse.mode, "evidence.action": config.evidence.action}
    return Provenance(
        inputs={name: manifest.key for name, manifest in listed.items()},
        configuration=digest(config.model_dump(mode="json", exclude=WITHOUT_EFFECT)),
        versions={"srd": __version__, "code": str(code()["code"])},
        places={name: f"{item.source}, {len(item.shards):,} shards" for name, item in inventories.items()},
        settings={name: str(value) for name, value in told.items()},
    )


_READS = ("canvas", "limits", "cleanse", "evidence", "evaluation", "seed")
REPORT = Stage("report", _report, _READS, publishes=True, named=truth_digest)
