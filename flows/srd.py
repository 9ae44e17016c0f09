"""The flow `srd`: from a suspect set to cleansed shards, a retrained model, its scores and a verdict. The paper's Figure 4, as code.

Every submitted task names what it needs; what does not depend on each other runs side by side. What a stage does is in
`srd_core/stages`, how it is cached and retried in `tasks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from flows.artifacts import show_verdict
from flows.line import Line, Made
from flows.models import arms_of, learns_policy, models_of
from srd_core.config import Arm, Protocol, load_config
from srd_core.data.manifest import StageManifest
from srd_core.stages.arms import NEEDS, SCREENS
from srd_core.stages.files import part_of, shards_of
from srd_core.stages.stage import Run
from srd_core.stages.test_images import HOLDOUT
from tasks import pipeline
from tasks.workers import workers

Models = dict[tuple[Arm, Protocol], Made]


@flow(name="srd", flow_run_name="srd {source}", persist_result=False)
def srd(
    source: str,
    sink: str,
    trusted: str,
    profile: str | None = None,
    config_file: str | None = None,
    overrides: list[str] | None = None,
) -> dict[str, Any]:
    """Cleanse `source` into `sink`, knowing `trusted`; return what `verdict.json` says.

    Args:
        source: suspect shards: a folder, a `*.tar` glob or `s3://bucket/prefix`.
        sink: folder or `s3://bucket/prefix` for the results.
        trusted: shards that the team vouches for.
        profile: name of a profile.
        config_file: path of a YAML file instead.
        overrides: `key=value` settings on top.

    Raises:
        SrdError: what the user can mend, from whichever stage.
    """
    run = Run(source, sink, trusted, load_config(profile, Path(config_file) if config_file else None, overrides or ()))
    pipeline.check_named(run)
    known = pipeline.take_inventory(run, "trusted")
    suspect = pipeline.take_inventory(run, "source")
    tests = {domain: pipeline.take_inventory(run, f"test:{domain}") for domain in run.config.evaluation.tests} or {HOLDOUT: known}
    inputs = {"source": suspect, "trusted": known, **{f"test:{name}": test for name, test in tests.items() if name != HOLDOUT}}
    if run.config.evaluation.attacker:
        inputs["attacker"] = pipeline.take_inventory(run, "attacker")
    pipeline.claim_sink(run, inputs)
    with workers(run.config.workers) as runner:
        line = Line(run, runner)
        witnesses, game = learn_defence(line, known)
        judged = {arm: judge(line, arm, suspect, known, witnesses) for arm in arms_of(run.config)}
        cleansed = {arm: cleanse(line, arm, suspect, witnesses | said) for arm, said in judged.items()}
        looks = [made for said in judged.values() for made in said.values()]
        models = retrain(line, witnesses["base"], cleansed, known, inputs.get("attacker"), looks)
        scores = evaluate(line, models, tests, witnesses)
        line.submit("model", pipeline.model, model=models[run.config.cleanse.mode, "p1"])
        if run.config.evaluation.attack:
            if "policy" in witnesses:
                scores["probe"] = probe(line, models, tests, witnesses)
            scores["attention"] = look(line, models, tests, witnesses)
        if run.config.bounds:
            scores["bounds"] = line.submit("bounds", pipeline.bounds, **game)
        hand_over = {f"cleansed-{arm}-{i}": part for arm, parts in cleansed.items() for i, part in enumerate(parts)}
        hand_over |= {f"screen-{arm}": said["screen"] for arm, said in judged.items() if "screen" in said}
        hand_over |= {name: made for said in judged.values() for name, made in said.items() if name == "pictures"}
        line.submit("report", pipeline.report, source=suspect, trusted=known, **witnesses, **hand_over, **scores)
        made = line.finish()
    pipeline.write_manifest(run, {**inputs, **made})
    verdict = pipeline.read_verdict(run)
    show_verdict(run.sink, verdict)
    return verdict


def learn_defence(line: Line, trusted: StageManifest) -> tuple[dict[str, Made], dict[str, Made]]:
    """Everything that is learned before the suspect set is looked at: models, policy, thresholds; and the game that was played for it.

    No policy where nothing asks for one, and no thresholds where no evidence is weighed.
    """
    if "evidence" in arms_of(line.run.config):
        line.submit("census", pipeline.census, trusted=trusted)
    fluency = line.submit("fluency", pipeline.fluency, trusted=trusted)
    base = line.submit("base", pipeline.base, trusted=trusted)
    reference = line.submit("reference", pipeline.reference, trusted=trusted)
    witnesses = {"base": base, "reference": reference, "fluency": fluency}
    game: dict[str, Made] = {}
    if learns_policy(line.run.config):
        synthetic = line.submit("synthetic", pipeline.synthesize, trusted=trusted)
        sparring = line.submit("sparring", pipeline.spar, trusted=trusted, synthetic=synthetic, base=base)
        game = {"synthetic": synthetic, "sparring": sparring, "reference": reference, "fluency": fluency}
        witnesses["policy"] = line.submit("policy", pipeline.learn, **game)
    if "evidence" in arms_of(line.run.config):
        witnesses["calibration"] = line.submit("calibration", pipeline.calibrate, trusted=trusted, **witnesses)
    return witnesses, game


def judge(line: Line, arm: Arm, suspect: StageManifest, trusted: StageManifest, witnesses: dict[str, Made]) -> dict[str, Made]:
    """What a defence says that looks at the whole set before anything is done; nothing for other arms."""
    asked = {"source": suspect, "trusted": trusted, "base": witnesses["base"]}
    if arm in SCREENS:
        return {"screen": line.submit(f"screen-{arm}", pipeline.screen(arm), {"arm": arm}, **asked)}
    if arm != "evidence":
        return {}
    said: dict[str, Made] = {}
    if line.run.config.evidence.second_look:
        said["pictures"] = line.submit("pictures", pipeline.screen("residual"), {"arm": "residual"}, **asked)
    weighed: dict[str, Made] = {}
    for i, (names, part) in enumerate(groups(line, suspect)):
        weighed[f"weighed-{i}"] = line.submit(f"weighed-{i}", pipeline.weigh, {"shards": names}, source=part, **witnesses)
    return {**said, **weighed, "consensus": line.submit("consensus", pipeline.consensus, **weighed)}


def cleanse(line: Line, arm: Arm, suspect: StageManifest, known: dict[str, Made]) -> list[Made]:
    """Do to every shard as `arm` decides; one task a group of shards."""
    task, parts = pipeline.cleanse(line.run, arm), []
    for i, (names, part) in enumerate(groups(line, suspect)):
        own = {name: f"weighed-{i}" if name == "weighed" else name for name in NEEDS[arm]}
        needs = {name: known[made] for name, made in own.items() if made in known}  # no pictures without a second look
        parts.append(line.submit(f"cleansed-{arm}-{i}", task, {"arm": arm, "shards": names}, source=part, **needs))
    return parts


def groups(line: Line, suspect: StageManifest) -> Iterator[tuple[list[str], StageManifest]]:
    """The shards that go into one task each: their names, and the inventory of them."""
    listed, size = shards_of(suspect), line.run.config.cleanse.shards_per_task
    for shards in (listed[start : start + size] for start in range(0, len(listed), size)):
        yield [shard.name for shard in shards], part_of(suspect, shards)


def retrain(
    line: Line,
    base: Made,
    cleansed: dict[Arm, list[Made]],
    trusted: StageManifest,
    attacker: StageManifest | None,
    looks: Sequence[Made] = (),
) -> Models:
    """P1 of every arm starts from base; P2 from the backdoored model: base trained on the data as it came, or what an attacker trained.

    Arms that the policy masks could start as soon as it is learned, and would keep workers from the `looks` that other arms wait for: they
    start after them.
    """
    models: Models = {}
    for arm, protocol in models_of(line.run.config):
        if attacker is not None and arm == "none":
            models[arm, protocol] = line.submit("model-none-p1", pipeline.backdoor, {"arm": arm}, start=base, attacker=attacker)
            continue
        start = base if protocol == "p1" else models["none", "p1"]
        parts = {f"cleansed-{i}": part for i, part in enumerate(cleansed[arm])} if arm != "finetune" else {"trusted": trusted}
        details = {"arm": arm, "protocol": protocol}
        first = looks if "policy" in NEEDS.get(arm, ()) else ()
        models[arm, protocol] = line.submit(f"model-{arm}-{protocol}", pipeline.retrain, details, first, start=start, **parts)
    return models


def evaluate(line: Line, models: Models, tests: dict[str, StageManifest], witnesses: dict[str, Made]) -> dict[str, Made]:
    """Score every model on every test domain."""
    shared = {"reference": witnesses["reference"], "fluency": witnesses["fluency"]}
    scores: dict[str, Made] = {}
    for (arm, protocol), model in models.items():
        for domain, test in tests.items():
            name, details = f"score-{arm}-{protocol}-{domain}", {"arm": arm, "protocol": protocol, "domain": domain}
            scores[name] = line.submit(name, pipeline.score, details, model=model, test=test, **shared)
    return scores


def probe(line: Line, models: Models, tests: dict[str, StageManifest], witnesses: dict[str, Made]) -> Made:
    """In experiments: the policy against the attack that was planted, on the first test domain."""
    asked = {name: witnesses[name] for name in ("reference", "fluency", "policy")}
    domain, test = next(iter(tests.items()))
    return line.submit("probe", pipeline.probe, {"domain": domain}, model=models["none", "p1"], test=test, **asked)


def look(line: Line, models: Models, tests: dict[str, StageManifest], witnesses: dict[str, Made]) -> Made:
    """In experiments: where the backdoored model looks when it says the target, and where base does. The paper's Figure 2."""
    domain, test = next(iter(tests.items()))
    return line.submit("attention", pipeline.attention, {"domain": domain}, model=models["none", "p1"], clean=witnesses["base"], test=test)
