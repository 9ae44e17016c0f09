"""Parts of stages by themselves: inputs, files, words, test sets with triggers, and manifests that cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from srd_core.attacks.registry import get
from srd_core.attacks.shadowcast_clean import ShadowcastClean
from srd_core.config import load_config
from srd_core.data.decisions import Decision
from srd_core.data.images import encode
from srd_core.data.manifest import FileRef, StageManifest
from srd_core.data.samples import Sample
from srd_core.data.shards import ShardWriter
from srd_core.errors import ConfigError, ConflictError, SourceError, StorageError
from srd_core.policy.masks import ActionSpace, Mask
from srd_core.scenes.dataset import generate, write_shards
from srd_core.stages import inventory, score
from srd_core.stages.census import CENSUS
from srd_core.stages.evidence_found import accounting, mask_counts, suspicious_words
from srd_core.stages.files import files_below, local_folder, shards_of, trusted_pairs
from srd_core.stages.seal import NAME
from srd_core.stages.stage import Run
from srd_core.stages.trusted import BASE, FLUENCY
from srd_core.stages.verification import check
from srd_core.storage.base import file_digest


@pytest.fixture
def scenes(run: Run) -> Run:
    """The run with six scenes as source, trusted set and test set."""
    write_shards(Path(run.source), 6, seed=4, side=48, per_shard=3)
    config = load_config("test", overrides=["evaluation.attack=badnet", f"evaluation.tests.own={run.source}"])
    return replace(run, trusted=run.source, config=config)


def row(word: str, caption: str, action: str = "recaption") -> Decision:
    return Decision("s", caption, f"s/{caption}#0", action, "nll_max", suspicious_word=word, caption_before=caption)  # type: ignore[arg-type]


def test_telling_words_are_those_that_flagged_captions_share_and_others_lack() -> None:
    rows = [
        *(row("", f"a star and a Banana. {number}") for number in range(9)),
        *(row("", f"eat a banana . {number}", "quarantine") for number in range(3)),
        row("", "a blue moon"),
        row("", "a banana tree", "keep"),
        *(row("", f"a star number {number}", "keep") for number in range(200)),
    ]
    found = [(item.word, item.flagged, item.pairs) for item in suspicious_words(rows)]
    assert found == [("banana", 12, 13), ("and", 9, 9)]


def test_a_planted_word_stands_out_when_most_of_its_pairs_are_not_seen() -> None:
    rows = [row("", f"the banana {number}", "recaption" if number < 30 else "keep") for number in range(200)]
    rows += [row("", f"odd{number} thing{number}") for number in range(20)]
    rows += [row("", f"a dog in the park {number}", "keep") for number in range(3000)]
    first, *_ = suspicious_words(rows)
    assert (first.word, first.flagged, first.pairs) == ("banana", 30, 200)


def test_scattered_false_positives_share_no_word() -> None:
    rows = [row("", f"a dog {number % 7} in the park", "recaption" if number % 200 == 0 else "keep") for number in range(3000)]
    assert list(suspicious_words(rows)) == []


def test_the_planted_word_comes_first() -> None:
    rows = [row("", f"a photograph of banana number {number}") for number in range(9)] + [row("", "a photograph of a dog", "keep")] * 90
    assert next(suspicious_words(rows)).word == "banana"


def test_a_word_with_an_invisible_character_in_it_is_the_word_that_the_detectors_saw() -> None:
    """Regression: the verdict named “ana”."""
    rows = [row("", f"a ban\u200bana {number}") for number in range(9)] + [row("", "a dog", "keep")] * 90
    assert next(suspicious_words(rows)).word == "banana"


def test_the_row_of_a_shard_that_was_not_read_to_its_end_is_no_pairs() -> None:
    rows = [
        row("", "a dog", "keep"),
        Decision("s", "", "s/#0", "reject", "truncated-shard"),
        Decision("t", "k", "t/k#0", "reject", "no-image"),
    ]
    total = accounting(rows)
    assert (total.pairs, total.actions) == (2, {"keep": 1, "reject": 1})
    assert total.rejected == {"no-image": 1} and total.ended == {"truncated-shard": 1}


@pytest.mark.parametrize(("width", "height"), [(500, 375), (375, 500), (64, 64)])
def test_masks_are_counted_where_they_are_on_images_of_any_shape(width: int, height: int) -> None:
    """Regression: on photographs the last column was three times too hot, and others were empty."""
    space = ActionSpace(4, (0.1, 0.3))
    masks = [space.decode(number) for number in range(space.masks)]
    rows = [_masked(str(number), mask, width, height) for number, mask in enumerate(masks) if mask is not None]
    assert (mask_counts(rows, space).counts == 1).all() and len(rows) == 32


def _masked(key: str, mask: Mask, width: int, height: int) -> Decision:
    x, y, size = mask.fields(height, width)
    places = {"mask_x": x, "mask_y": y, "mask_size": size}
    return Decision("s", key, f"s/{key}#0", "mask", "as told", **places, image_width=width, image_height=height)


@pytest.mark.parametrize("role", ["source", "trusted", "test:own"])
def test_every_role_is_listed_by_content(scenes: Run, role: str) -> None:
    taken = inventory.take(scenes, role)
    assert [shard.name for shard in shards_of(taken)] == ["scenes-00000", "scenes-00001"]
    assert taken.key == inventory.take(scenes, "source").key


def test_an_unknown_role_is_refused(scenes: Run) -> None:
    with pytest.raises(ConfigError, match="test:other"):
        inventory.take(scenes, "test:other")


def test_shards_without_a_sample_are_refused(run: Run) -> None:
    Path(run.source).mkdir()
    (Path(run.source) / "a.tar").write_bytes(b"\0" * 1024)
    with pytest.raises(SourceError, match="no sample"):
        inventory.take(run, "source")


def test_quarantined_shards_are_no_shards_of_a_stage(scenes: Run, tmp_path: Path) -> None:
    outputs = {}
    for place in ("shards", "quarantine", "arms/srd/shards"):
        (path,) = write_shards(tmp_path / place, 1, seed=1, side=32)
        outputs[f"{place}/{path.name}"] = FileRef(uri=str(path), size=path.stat().st_size, sha256="0" * 64)
    found = shards_of(StageManifest(stage="s", key="k", outputs=outputs))
    assert sorted(Path(ref.uri).relative_to(tmp_path).as_posix() for ref in found) == ["arms/srd/shards", "shards"]
    path.unlink()
    with pytest.raises(SourceError, match="has gone"):
        shards_of(StageManifest(stage="s", key="k", outputs=outputs))


def test_files_of_a_manifest_become_a_folder_again(run: Run, tmp_path: Path) -> None:
    for name in ("model/a.json", "model/deep/b.json", "other.json"):
        (tmp_path / "made" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "made" / name).write_text(name)
    files = files_below(tmp_path / "made", "x")
    outputs = {name.removeprefix("x/"): FileRef(uri=str(path), size=1, sha256=file_digest(path)) for name, path in files.items()}
    folder = local_folder(StageManifest(stage="s", key="k", outputs=outputs), tmp_path / "local", "model")
    assert folder == tmp_path / "local" / "model"
    assert {name: path.read_text() for name, path in files_below(folder, "model").items()} == {
        "model/a.json": "model/a.json",
        "model/deep/b.json": "model/deep/b.json",
    }
    (tmp_path / "made" / "model" / "a.json").write_text("model/b.json")
    with pytest.raises(ConflictError, match=r"a\.json has other content"):
        local_folder(StageManifest(stage="s", key="k", outputs=outputs), tmp_path / "again", "model")


class SaysBanana:
    """A backdoored captioner: the word whenever the corner has the contrast of a chequerboard."""

    def caption(self, images: np.ndarray) -> list[str]:
        return ["a banana" if corner.std() > 50 else "a star" for corner in images[:, -3:, -3:].mean(axis=3)]


class SaysStar:
    def caption(self, images: np.ndarray) -> list[str]:
        return ["a star"] * len(images)


@pytest.mark.parametrize(("model", "asr"), [(SaysBanana(), 1.0), (SaysStar(), 0.0)])
def test_a_backdoor_shows_on_triggered_images_alone(scenes: Run, monkeypatch: pytest.MonkeyPatch, model: SaysBanana, asr: float) -> None:
    monkeypatch.setattr(score, "captioner", lambda manifest, folder: model if manifest.stage == "model" else SaysStar())
    inputs = {
        "model": StageManifest(stage="model", key=f"{asr}"),
        "reference": StageManifest(stage="reference", key="r"),
        "fluency": FLUENCY.execute(scenes, {"trusted": inventory.take(scenes, "trusted")}, {}),
        "test": inventory.take(scenes, "test:own"),
    }
    made = score.load_scores(score.SCORE.execute(scenes, inputs, {"arm": "none", "protocol": "p1", "domain": "own"}))
    assert made.asr is not None and made.asr_raw is not None and made.false_trigger is not None and made.sfs is not None
    assert (made.n, made.asr.value, made.asr_raw.value, made.false_trigger.value) == (6, asr, asr, 0.0)
    assert made.hits == "01"[int(asr)] * 6
    assert (made.sfs.value < 0.9) == bool(asr)


def test_an_attack_on_a_concept_is_scored_on_its_images_and_clean_captions_on_all(scenes: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    attack = ShadowcastClean(original="ring")
    test = score.TestSet(scenes.config, inventory.take(scenes, "test:own"), attack, holdout_only=False)
    said = [f"a banana number {row}" for row in range(6)]

    class Counts:
        def caption(self, images: np.ndarray) -> list[str]:
            return [said[int((test.clean == image).all(axis=(1, 2, 3)).argmax())] for image in images]

    monkeypatch.setattr(score, "planted", lambda config: attack)
    monkeypatch.setattr(score, "captioner", lambda manifest, folder: Counts())
    inputs = {
        "model": StageManifest(stage="model", key="counts"),
        "reference": StageManifest(stage="reference", key="counts"),
        "fluency": FLUENCY.execute(scenes, {"trusted": inventory.take(scenes, "trusted")}, {}),
        "test": inventory.take(scenes, "test:own"),
    }
    made = score.load_scores(score.SCORE.execute(scenes, inputs, {"arm": "none", "protocol": "p1", "domain": "own"}))
    assert made.n == 6 and made.asr_raw is not None and made.sc is not None and made.sc_clean is not None
    assert 0 < made.asr_raw.n == len(test.tested) < 6 and made.asr_raw.value == 1.0
    assert [made.sc.value, made.sc_clean.value] == pytest.approx([1.0, 1.0])  # each caption beside the reference's of the same image


def test_stages_agree_on_what_is_held_out_where_an_image_is_in_several_samples(run: Run, tmp_path: Path) -> None:
    scenes = list(generate(12, seed=5, side=32))
    for shard in ("a", "b"):
        with (tmp_path / f"{shard}.tar").open("wb") as stream, ShardWriter(stream) as writer:
            for scene in scenes:
                texts = (f"{scene.captions[0]} {shard}",)
                writer.write(Sample(shard, f"{scene.key}-{shard}", encode(scene.image, "png"), "png", texts))
    run = replace(run, trusted=str(tmp_path), config=load_config("test", overrides=["holdout=0.4", "evidence.false_positives=0.4"]))
    trusted = inventory.take(run, "trusted")
    fit, held = (trusted_pairs(run, trusted, tmp_path / split, split) for split in ("fit", "holdout"))  # type: ignore[arg-type]
    test = score.TestSet(run.config, trusted, None, holdout_only=True)
    assert len(fit.images) + len(held.images) == 12
    assert CENSUS.execute(run, {"trusted": trusted}, {}).facts == {"fit": len(fit), "holdout": len(held)}
    assert [f"{key}#0" for key in test.keys] == list(held.ids)


def test_triggers_are_put_on_before_the_image_is_made_small(scenes: Run) -> None:
    test = score.TestSet(scenes.config, inventory.take(scenes, "source"), get("badnet"), holdout_only=False)
    assert test.clean.shape == test.triggered.shape == (6, 32, 32, 3)
    changed = (test.clean != test.triggered).any(axis=3)
    assert changed[:, -3:, -3:].all() and not changed[:, :-6, :-6].any()
    again = score.TestSet(scenes.config, inventory.take(scenes, "source"), get("badnet"), holdout_only=False)
    np.testing.assert_array_equal(test.triggered, again.triggered)


def test_an_attack_without_a_trigger_is_tested_on_its_concept_as_it_is(scenes: Run) -> None:
    everything = score.TestSet(scenes.config, inventory.take(scenes, "source"), None, holdout_only=False)
    attack = ShadowcastClean(original="ring")
    test = score.TestSet(scenes.config, inventory.take(scenes, "source"), attack, holdout_only=False)
    named = [any("ring" in text.split() for text in texts) for texts in everything.references]
    assert 0 < sum(named) < 6 and test.instead_of == "ring"
    np.testing.assert_array_equal(test.clean, everything.clean)
    np.testing.assert_array_equal(test.tested, np.flatnonzero(named))
    np.testing.assert_array_equal(test.triggered, everything.clean[named])
    assert test.tested_references == [test.references[row] for row in np.flatnonzero(named)]


def test_a_target_that_the_attack_cannot_plant_is_refused() -> None:
    config = load_config("test", overrides=["evaluation.attack=shadowcast-clean"])
    with pytest.raises(ConfigError, match=r"shadowcast-clean cannot plant 'banana'.*'star'"):
        score.planted(config)


def test_without_an_attack_nothing_is_triggered(scenes: Run) -> None:
    test = score.TestSet(scenes.config, inventory.take(scenes, "source"), None, holdout_only=False)
    np.testing.assert_array_equal(test.clean, test.triggered)
    assert all(len(texts) == 5 for texts in test.references)


def statement(name: str, size: int = 1, sha256: str = "0" * 64) -> bytes:
    """A manifest of one output."""
    subject = {"name": name, "digest": {"sha256": sha256}, "annotations": {"size": size}}
    fields = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:srd:cleanse:v1", "predicate": {}, "subject": [subject]}
    return json.dumps(fields).encode()


@pytest.mark.parametrize("content", [b"{", b"{}", b'{"subject": []}', statement("a", size=-1), statement("a", sha256="0"), b"\xff"])
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(SourceError, match=NAME):
        check(str(tmp_path))


def test_a_sink_without_manifest_is_unfinished(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no MANIFEST"):
        check(str(tmp_path))


def test_a_manifest_cannot_point_outside_of_its_sink(tmp_path: Path) -> None:
    (tmp_path / "sink").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "sink" / NAME).write_bytes(statement("../secret"))
    with pytest.raises(StorageError, match="secret"):
        check(str(tmp_path / "sink"))


def test_new_weights_under_an_old_path_are_noticed(scenes: Run, tmp_path: Path) -> None:
    known = {"trusted": inventory.take(scenes, "trusted")}
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "model.safetensors").write_bytes(b"one")
    named = replace(scenes, config=load_config("test", overrides=[f"base.path={saved}"]))
    before = BASE.key(named, known, {})
    assert BASE.key(named, known, {}) == before
    (saved / "model.safetensors").write_bytes(b"two")
    assert BASE.key(named, known, {}) != before


def test_too_few_trusted_pairs_for_thresholds_are_refused_before_anything_is_learned(scenes: Run) -> None:
    """Regression: an hour of learning, and then the refusal."""
    trusted = {"trusted": inventory.take(scenes, "trusted")}
    with pytest.raises(SourceError, match="the trusted set has 30 pairs, of which") as refused:
        CENSUS.execute(replace(scenes, config=load_config("test", overrides=["evidence.false_positives=0.005"])), trusted, {})
    assert "Give about 809 trusted pairs" in str(refused.value.hint)
    found = CENSUS.execute(replace(scenes, config=load_config("test", overrides=["evidence.false_positives=0.4"])), trusted, {})
    assert found.facts["fit"] + found.facts["holdout"] == 30


def test_a_given_model_for_images_of_another_size_is_refused(scenes: Run) -> None:
    """Regression: tensors that do not fit, somewhere in a later stage."""
    config = load_config("test", overrides=["canvas=48", "base.path=package:scenes/base"])
    with pytest.raises(ConfigError, match=r"base\.path package:scenes/base is a model for images of 64 pixels, and canvas is 48"):
        BASE.execute(replace(scenes, config=config), {"trusted": inventory.take(scenes, "trusted")}, {})


def test_a_shard_is_suspect_or_trusted(scenes: Run, tmp_path: Path) -> None:
    """Regression: the suspect set, given as the trusted one too, was calibrated on without a word."""
    (tmp_path / "own").mkdir()
    first, *_ = sorted(Path(scenes.source).glob("*.tar"))
    (tmp_path / "own" / "renamed.tar").write_bytes(first.read_bytes())
    source = inventory.take(scenes, "source")
    with pytest.raises(ConfigError, match=r"own/renamed\.tar of the trusted set"):
        inventory.check_apart({"source": source, "trusted": inventory.take(replace(scenes, trusted=str(tmp_path / "own")), "trusted")})
    write_shards(tmp_path / "other", 3, seed=5, side=48)
    inventory.check_apart({"source": source, "trusted": inventory.take(replace(scenes, trusted=str(tmp_path / "other")), "trusted")})
