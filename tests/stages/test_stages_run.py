"""A whole run at its smallest, stage by stage: what each leaves is what the next one needs, and every pair is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from srd_core.attacks.poison import PoisonSummary
from srd_core.data.decisions import Decision, read_decisions, sample_of
from srd_core.data.images import decode
from srd_core.data.limits import Limits
from srd_core.data.loading import read_samples, split_of
from srd_core.data.manifest import FileRef, StageManifest
from srd_core.data.samples import Sample
from srd_core.defences.base import PairDecision
from srd_core.defences.weighed import UNSEEN, WeighedPair, WeighedWriter
from srd_core.errors import SourceError
from srd_core.models.flamingo import FlamingoCaptioner
from srd_core.policy.learned import LearnedPolicy
from srd_core.scenes.dataset import write_shards
from srd_core.stages import inventory
from srd_core.stages.calibrate import load_calibration
from srd_core.stages.captioners import captioner
from srd_core.stages.consensus import CONSENSUS
from srd_core.stages.evidence_found import DecisionRows, accounting, mask_counts
from srd_core.stages.files import local_folder, shards_of, trusted_pairs
from srd_core.stages.given import saved_model
from srd_core.stages.learned import curve_of, held_out_of
from srd_core.stages.report import REPORT
from srd_core.stages.score import load_scores
from srd_core.stages.screen import SCREEN
from srd_core.stages.seal import NAME, seal
from srd_core.stages.stage import Run
from srd_core.stages.synthesize import load_synthetic
from srd_core.stages.trusted import BASE
from srd_core.stages.truth import coverage_by_masks, detection, done
from srd_core.stages.verification import check
from srd_core.storage.base import file_digest


class Pipeline(Protocol):
    run: Run
    truth: PoisonSummary

    def make(self, name: str) -> StageManifest: ...

    def inputs(self, *names: str, **renamed: str) -> dict[str, StageManifest]: ...


def decisions(pipeline: Pipeline, arm: str, folder: Path) -> list[Decision]:
    return list(DecisionRows([pipeline.make(f"cleansed-{arm}")], folder / arm))


def samples(manifest: StageManifest) -> list[Sample]:
    return [item for item in read_samples(shards_of(manifest)) if isinstance(item, Sample)]


def test_the_trusted_set_is_split_into_parts_that_share_no_image(pipeline: Pipeline, tmp_path: Path) -> None:
    parts = [trusted_pairs(pipeline.run, pipeline.make("trusted"), tmp_path / split, split) for split in ("fit", "holdout")]  # type: ignore[arg-type]
    assert not {name.split("#")[0] for name in parts[0].ids} & {name.split("#")[0] for name in parts[1].ids}
    assert len(parts[0]) + len(parts[1]) == 200 and len(parts[1]) > 20


def test_a_part_without_pairs_is_an_error(pipeline: Pipeline, tmp_path: Path) -> None:
    few = tmp_path / "few"
    write_shards(few, 1, seed=1, side=32)
    run = Run("", str(tmp_path / "sink"), str(few), pipeline.run.config)
    (sample,) = samples(inventory.take(run, "trusted"))
    empty = "holdout" if split_of(sample.key, run.config.holdout) == "fit" else "fit"
    with pytest.raises(SourceError, match=f"no usable pair in its {empty} part"):
        trusted_pairs(run, inventory.take(run, "trusted"), tmp_path, empty)  # type: ignore[arg-type]


def test_the_synthetic_set_comes_back_as_it_was_made(pipeline: Pipeline, tmp_path: Path) -> None:
    made = load_synthetic(pipeline.run, pipeline.make("synthetic"), tmp_path)
    assert len(made) == 40 == pipeline.make("synthetic").facts["pairs"]
    assert all(word in caption for word, caption in zip(made.words, made.captions, strict=True))
    clean = trusted_pairs(pipeline.run, pipeline.make("trusted"), tmp_path / "clean", "fit")
    for image, box, source in zip(made.images, made.boxes, made.sources, strict=True):
        changed = (image != clean.images[clean.image_of[source]]).any(axis=2)
        assert changed[box.y0 : box.y1, box.x0 : box.x1].mean() > 0.8
        changed[box.y0 : box.y1, box.x0 : box.x1] = False
        assert not changed.any()


def test_limits_of_suspect_shards_are_not_those_of_our_own(pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: of a synthetic set with more samples than a suspect shard may hold, the rest was left unread."""
    tight = pipeline.run.config.model_copy(update={"limits": Limits(max_samples=30, max_caption_chars=5)})
    made = load_synthetic(replace(pipeline.run, config=tight), pipeline.make("synthetic"), tmp_path)
    assert len(made) == 40 == len(made.images)


def test_the_sparring_victim_starts_from_the_base_and_moves(pipeline: Pipeline, tmp_path: Path) -> None:
    facts = pipeline.make("sparring").facts
    fit = len(trusted_pairs(pipeline.run, pipeline.make("trusted"), tmp_path, "fit"))
    assert (facts["pairs"], facts["poisoned"]) == (fit, 40)
    base, victim = (captioner(pipeline.make(name), tmp_path) for name in ("base", "sparring"))
    weights = [np.concatenate([p.detach().cpu().numpy().ravel() for p in model.network.parameters()]) for model in (base, victim)]
    assert 0.5 < np.corrcoef(*weights)[0, 1] < 1


def test_base_and_reference_are_two_models(pipeline: Pipeline) -> None:
    digests = [pipeline.make(name).outputs["model/model.safetensors"].sha256 for name in ("base", "reference")]
    assert digests[0] != digests[1]


def test_the_policy_comes_with_its_curve_and_its_figures(pipeline: Pipeline) -> None:
    policy = pipeline.make("policy")
    assert curve_of(policy).as_dict() == policy.facts["curve"]
    comparison, control, coverage = held_out_of(policy)
    assert comparison.images == 6 and control == "random" and 0 <= coverage.value <= 1


def test_calibration_stays_within_its_budget(pipeline: Pipeline, tmp_path: Path) -> None:
    made = load_calibration(pipeline.inputs("calibration"), tmp_path)
    assert made.clean_flagged <= pipeline.run.config.evidence.false_positives
    assert made.pairs == len(trusted_pairs(pipeline.run, pipeline.make("trusted"), tmp_path / "t", "holdout"))
    assert set(made.recall) == {"inserted word", "replaced caption", "other image's caption"}


@pytest.mark.parametrize("arm", ["none", "random", "srd", "evidence"])
def test_every_suspect_pair_is_decided_on_once(pipeline: Pipeline, tmp_path: Path, arm: str) -> None:
    rows = decisions(pipeline, arm, tmp_path)
    suspect = [name for sample in samples(pipeline.make("source")) for name in sample.pairs()]
    assert Counter(row.pair for row in rows) == Counter(suspect)
    allowed = {"none": {"keep"}, "random": {"mask"}, "srd": {"mask"}, "evidence": {"keep", "recaption", "quarantine"}}
    assert {row.action for row in rows} <= allowed[arm]
    total = accounting(rows)
    assert total.pairs == len(rows) == pipeline.make(f"cleansed-{arm}").facts["pairs"]


def test_only_the_arm_that_is_handed_back_lies_at_the_root(pipeline: Pipeline) -> None:
    root = Path(pipeline.run.sink)
    for arm, place in (("evidence", root), ("srd", root / "stages")):
        for ref in pipeline.make(f"cleansed-{arm}").outputs.values():
            assert Path(ref.uri).is_relative_to(place)
    assert sorted(path.name for path in (root / "shards").iterdir()) == [
        f"{shard.name}.tar" for shard in shards_of(pipeline.make("source"))
    ]


def test_masked_shards_differ_in_nothing_but_the_mask(pipeline: Pipeline, tmp_path: Path) -> None:
    before = {sample.key: sample for sample in samples(pipeline.make("source"))}
    after = {sample.key: sample for sample in samples(pipeline.make("cleansed-srd"))}
    assert list(after) == list(before)
    for key, sample in after.items():
        assert sample.captions == before[key].captions
        new, old = decode(sample.image), decode(before[key].image)
        changed = (new != old).any(axis=2)
        assert changed.any() and (new[changed] == (255, 0, 0)).all()


def test_masks_are_counted_once_a_sample(pipeline: Pipeline, tmp_path: Path) -> None:
    space = LearnedPolicy.load(local_folder(pipeline.make("policy"), tmp_path, "policy")).space
    counts = mask_counts(decisions(pipeline, "srd", tmp_path), space)
    assert counts.counts.sum() == len(samples(pipeline.make("source"))) and counts.unmasked == 0
    assert mask_counts(decisions(pipeline, "none", tmp_path), space).unmasked == len(samples(pipeline.make("source")))


def test_the_truth_is_joined_by_pair_id(pipeline: Pipeline, tmp_path: Path) -> None:
    poisoned = {pair.id for pair in pipeline.truth.poisoned}
    rows = decisions(pipeline, "evidence", tmp_path)
    assert poisoned < {row.pair for row in rows}
    found = detection(pipeline.run, {"evidence": rows}, {})
    assert all((one.poisoned, one.clean) == (len(poisoned), len(rows) - len(poisoned)) for one in found.values())
    perfect = [_replace(row, score_nll_mean=float(row.pair in poisoned)) for row in rows]
    assert detection(pipeline.run, {"evidence": perfect}, {})["evidence/nll_mean"].auroc.value == 1.0


def test_a_channel_without_a_column_is_measured_like_the_others(pipeline: Pipeline, tmp_path: Path) -> None:
    poisoned = {pair.id for pair in pipeline.truth.poisoned}
    rows = [replace(row, score_others=(("length", float(row.pair in poisoned)),)) for row in decisions(pipeline, "evidence", tmp_path)]
    evidence = pipeline.run.config.evidence.model_copy(update={"channels": ("nll_max", "length")})
    run = replace(pipeline.run, config=pipeline.run.config.model_copy(update={"evidence": evidence}))
    assert detection(run, {"evidence": rows}, {})["evidence/length"].auroc.value == 1.0


def test_a_pair_that_nobody_could_look_at_costs_no_figure_of_the_others(pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: one such pair, without scores, and the page had nothing against the truth."""
    rows = decisions(pipeline, "evidence", tmp_path)
    unseen = replace(rows[0], key="u", pair="s/u#0", action="quarantine", reason=UNSEEN, score_nll_max=None, score_nll_mean=None)
    assert detection(pipeline.run, {"evidence": [*rows, unseen]}, {}) == detection(pipeline.run, {"evidence": rows}, {}) != {}


def test_an_image_is_as_suspicious_as_its_worst_pair(pipeline: Pipeline, tmp_path: Path) -> None:
    poisoned = {pair.id for pair in pipeline.truth.poisoned}
    rows = decisions(pipeline, "none", tmp_path)
    alone = detection(pipeline.run, {"abl": rows}, {"abl": lambda shard: {row.pair: 0.0 for row in rows}})
    assert list(alone) == ["abl"]  # one pair a sample
    joined = [_replace(row, key="a" if row.pair in poisoned else f"b{number // 3}") for number, row in enumerate(rows)]
    joined.sort(key=sample_of)  # as shards are written
    scores = {row.pair: float(number) for number, row in enumerate(sorted(joined, key=lambda row: row.pair in poisoned))}
    found = detection(pipeline.run, {"abl": joined}, {"abl": lambda shard: scores})["abl by image"]
    shards = {row.shard for row in joined if row.pair in poisoned}
    assert (found.poisoned, found.clean) == (len(shards), len({(row.shard, row.key) for row in joined if row.key != "a"}))
    assert found.auroc.value == 1.0


def test_what_was_done_is_counted_by_what_the_pairs_are(pipeline: Pipeline, tmp_path: Path) -> None:
    poisoned = {pair.id for pair in pipeline.truth.poisoned}
    rows = [_replace(row, action="quarantine" if row.pair in poisoned else "keep") for row in decisions(pipeline, "none", tmp_path)]
    wrong = [_replace(rows[0], action="mask"), *rows[1:]]
    found = done(pipeline.run, {"abl": rows, "srd": wrong})
    assert found["abl"] == {"clean": {"keep": len(rows) - len(poisoned)}, "poisoned": {"quarantine": len(poisoned)}}
    assert sum(sum(kind.values()) for kind in found["srd"].values()) == len(rows)
    assert found["srd"]["poisoned" if rows[0].pair in poisoned else "clean"]["mask"] == 1


def test_the_row_that_ends_a_shard_is_no_pair_to_which_anything_was_done(pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: it was counted as a clean pair that was rejected."""
    rows = decisions(pipeline, "none", tmp_path)
    ended = _replace(rows[0], key="", pair=f"{rows[0].shard}/#0", action="reject", reason="truncated-shard")
    refused = _replace(rows[0], key="x", pair=f"{rows[0].shard}/x#0", action="reject", reason="no-caption")
    found = done(pipeline.run, {"none": rows, "abl": [*rows, ended], "srd": [*rows, ended, refused]})
    assert found["none"] == found["abl"] and found["srd"]["clean"] == {**found["none"]["clean"], "reject": 1}


def test_a_baselines_score_is_joined_by_pair_id_too(pipeline: Pipeline, tmp_path: Path) -> None:
    poisoned = {pair.id for pair in pipeline.truth.poisoned}
    rows = [_replace(row, action="quarantine" if row.pair in poisoned else "keep") for row in decisions(pipeline, "none", tmp_path)]
    asked: list[str] = []

    def of_shard(shard: str) -> dict[str, float]:
        asked.append(shard)
        return {row.pair: float(row.pair in poisoned) for row in reversed(rows) if row.shard == shard}

    found = detection(pipeline.run, {"abl": rows}, {"abl": of_shard})["abl"]
    assert found.auroc.value == found.f1.value == 1.0
    assert asked == list(dict.fromkeys(row.shard for row in rows)) and len(asked) > 1
    assert detection(pipeline.run, {"abl": rows}, {"abl": lambda shard: dict(list(of_shard(shard).items())[1:])}) == {}


def test_the_second_look_is_on_all_shards_and_can_be_left_out(pipeline: Pipeline, tmp_path: Path) -> None:
    captions = sorted((row.caption_before for row in decisions(pipeline, "none", tmp_path)), key=lambda text: "banana" in text)
    captions = [*captions[:100] * 5, *captions[100:]]  # a share of poison that leaves something to be compared with
    path = tmp_path / "weighed.parquet"
    with WeighedWriter(path) as writer:
        for number, caption in enumerate(captions):
            flag = PairDecision("recaption" if "banana" in caption.split() and number % 3 == 0 else "keep", "x")
            writer.write(WeighedPair(str(number), caption, "a dog", flag, None, None))
    manifest = pipeline.make("weighed").model_copy(
        update={"outputs": {"s.parquet": FileRef(uri=str(path), size=1, sha256=file_digest(path))}}
    )

    def words(**evidence: object) -> list[dict[str, Any]]:
        config = pipeline.run.config
        changed = config.model_copy(update={"evidence": config.evidence.model_copy(update=evidence)})
        made = CONSENSUS.work(replace(pipeline.run, config=changed), {"weighed-0": manifest}, {}, tmp_path)
        return list(made.facts["words"])

    found = words(false_positives=0.01)
    assert found[0]["word"] == "banana" and found[0]["flagged"] < found[0]["pairs"]
    assert words(false_positives=0.01, second_look=False) == words(false_positives=0.05) == []  # a third is no more than ten times 5 %


def test_coverage_compares_masks_with_the_true_boxes(pipeline: Pipeline, tmp_path: Path) -> None:
    boxes = {pair.id: pair.box for pair in pipeline.truth.poisoned}
    rows = decisions(pipeline, "srd", tmp_path)
    on = [_over(row, boxes[row.pair]) if row.pair in boxes else row for row in rows]
    off = [_replace(row, mask_x=0.2, mask_y=0.2, mask_size=0.1) for row in rows]
    bare = {row.pair for row in rows if row.pair in boxes and sum(map(ord, row.pair)) % 2}
    half = [_replace(row, mask_x=None, mask_y=None, mask_size=None) if row.pair in bare else row for row in on]
    found: dict[str, Any] = coverage_by_masks(pipeline.run, {"srd": on, "random": off, "evidence": half})
    assert {key: arms["srd"]["value"] for key, arms in found.items()} == pytest.approx(
        {"coverage_in_data": 1.0, "hidden_in_data": 1.0, "iou_in_data": 1.0}, abs=1e-4
    )
    assert all(arms["random"]["value"] == 0.0 for arms in found.values())
    assert 0 < len(bare) < len(boxes)  # a trigger without a mask is not covered
    assert [arms["evidence"]["value"] for arms in found.values()] == pytest.approx([1 - len(bare) / len(boxes)] * 3, abs=1e-4)
    assert all(arms["evidence"]["n"] == len(boxes) for arms in found.values())
    assert coverage_by_masks(pipeline.run, {"evidence": decisions(pipeline, "evidence", tmp_path)}) == {}


def test_without_a_list_there_is_no_detection_figure(pipeline: Pipeline, tmp_path: Path) -> None:
    blind = pipeline.run.config.model_copy(update={"evaluation": pipeline.run.config.evaluation.model_copy(update={"truth": None})})
    run = Run(pipeline.run.source, pipeline.run.sink, pipeline.run.trusted, blind)
    rows = decisions(pipeline, "evidence", tmp_path)
    assert detection(run, {"evidence": rows}, {}) == {} and coverage_by_masks(run, {"srd": rows}) == {} and done(run, {"srd": rows}) == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"poisoned": [{"id": 3}]}', '{"pairs": []}'])
def test_a_list_of_another_kind_is_refused(pipeline: Pipeline, tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    evaluation = pipeline.run.config.evaluation.model_copy(update={"truth": str(tmp_path / "t.json")})
    run = Run("", "", "", pipeline.run.config.model_copy(update={"evaluation": evaluation}))
    with pytest.raises(SourceError, match="not a list of poisoned pairs"):
        detection(run, {}, {})


def test_the_retrained_model_is_handed_back_whole(pipeline: Pipeline) -> None:
    pipeline.make("handed")
    model = FlamingoCaptioner.load(Path(pipeline.run.sink) / "model")
    assert model.canvas == 32
    trained = pipeline.make("model").outputs["model/model.safetensors"].sha256
    assert pipeline.make("handed").outputs["model/model.safetensors"].sha256 == trained
    assert trained != pipeline.make("base").outputs["model/model.safetensors"].sha256


def test_a_given_model_is_taken_as_it_is(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.make("handed")
    given = pipeline.run.config.base.model_copy(update={"path": f"{pipeline.run.sink}/model"})
    run = Run(pipeline.run.source, str(tmp_path / "sink"), pipeline.run.trusted, pipeline.run.config.model_copy(update={"base": given}))
    taken = BASE.execute(run, pipeline.inputs("trusted"), {})
    assert {name: ref.sha256 for name, ref in taken.outputs.items()} == {
        name: ref.sha256 for name, ref in pipeline.make("handed").outputs.items()
    }
    assert FlamingoCaptioner.load(saved_model("package:scenes/base", tmp_path)).canvas == 64


def test_scores_are_of_the_held_out_images_only(pipeline: Pipeline, tmp_path: Path) -> None:
    scores = load_scores(pipeline.make("score"))
    assert (scores.arm, scores.protocol, scores.n) == ("evidence", "p1", 8)
    captions = json.loads(Path(pipeline.make("score").outputs["captions.json"].uri).read_text())
    assert all(split_of(key.split("/")[1], pipeline.run.config.holdout) == "holdout" for key in captions["keys"])
    assert len(captions["clean"]) == len(captions["triggered"]) == 8


def test_a_screen_that_could_look_for_nothing_is_told_of(pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: its reason stood in the facts of its stage alone."""
    run = replace(pipeline.run, sink=str(tmp_path / "sink"))
    screened = {
        f"screen-{arm}": SCREEN.execute(run, pipeline.inputs("source", "trusted", "base"), {"arm": arm}) for arm in ("residual", "nll")
    }
    REPORT.execute(run, pipeline.reported | screened, {})
    (arm, why), *others = json.loads((tmp_path / "sink" / "scores.json").read_text())["silent"].items()
    assert arm == "residual" and "20 are needed" in why and not others
    assert f"residual: could look for nothing: {why}" in (tmp_path / "sink" / "report.html").read_text()


def test_the_report_holds_what_the_stages_found(pipeline: Pipeline) -> None:
    report = pipeline.make("report")
    sink = Path(pipeline.run.sink)
    verdict = json.loads((sink / "verdict.json").read_text())
    assert verdict["status"] == report.facts["status"]
    scores = json.loads((sink / "scores.json").read_text())
    assert scores["models"][0]["n"] == 8 and "evidence/nll_mean" in scores["detection"]
    assert 0 < scores["distance"] < 0.5 and set(scores["done"]) == {"evidence", "srd"}
    page = (sink / "report.html").read_text()
    assert "<html" in page and "evidence" in page
    assert '<span class="chip">your result</span>' in page
    surplus = page.split("More frequent than in the trusted set")[1].split("</table>")[0]
    assert "<bdi>banana</bdi>" in surplus


def test_flagged_pairs_can_be_looked_at_where_masks_are_handed_back(pipeline: Pipeline, tmp_path: Path) -> None:
    """Regression: the verdict said to look at them, and they were in no file that stays."""
    masks = pipeline.run.config.model_copy(update={"cleanse": pipeline.run.config.cleanse.model_copy(update={"mode": "srd"})})
    report = REPORT.execute(replace(pipeline.run, sink=str(tmp_path / "sink"), config=masks), pipeline.reported, {})
    told = [row.pair for row in read_decisions(tmp_path / "sink" / "flagged.parquet")]
    rows = decisions(pipeline, "evidence", tmp_path)
    assert told == [row.pair for row in rows if row.action in ("recaption", "quarantine")] and len(told) > 5
    assert "flagged.parquet" in report.outputs and "flagged.parquet" not in pipeline.make("report").outputs


def test_a_sealed_sink_tells_what_was_changed(pipeline: Pipeline) -> None:
    names = ("source", "trusted", "base", "cleansed-evidence", "cleansed-srd", "handed", "report")
    sealed = seal(pipeline.run, {name: pipeline.make(name) for name in names})
    sink = Path(pipeline.run.sink)
    written = json.loads((sink / NAME).read_text())
    named = {subject["name"] for subject in written["subject"]}
    assert set(written["predicate"]["inputs"]) == {"source", "trusted"}
    assert len(named) == len(written["subject"]) == sealed.facts["outputs"] + 1
    assert {"RUN.json", "report.html", "verdict.json", "model/model.safetensors"} < named
    assert not any("stages" in name or name.startswith("arms") for name in named)
    assert check(str(sink)) == []
    harmed = {"report.html": b"", "verdict.json": None, "scores.json": b"x" * (sink / "scores.json").stat().st_size}
    kept = {name: (sink / name).read_bytes() for name in harmed}
    for name, content in harmed.items():
        (sink / name).unlink() if content is None else (sink / name).write_bytes(content)
    problems = check(str(sink))
    for name, content in kept.items():
        (sink / name).write_bytes(content)
    assert len(problems) == 3
    assert any("report.html has 0 bytes" in line for line in problems)
    assert "verdict.json is missing" in problems
    assert any("scores.json has other content" in line for line in problems)
    assert check(str(sink)) == []


def _over(row: Decision, box: tuple[float, float, float, float]) -> Decision:
    """The row with its mask exactly over the box."""
    x0, y0, x1, y1 = box
    return _replace(row, mask_x=(x0 + x1) / 2, mask_y=(y0 + y1) / 2, mask_size=x1 - x0 + 1e-6)


def _replace(row: Decision, **fields: float) -> Decision:
    return replace(row, **fields)  # type: ignore[arg-type]
