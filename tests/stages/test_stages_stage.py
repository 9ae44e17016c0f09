"""Keys, records and verification: a result is used again exactly when nothing that it depends on has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import srd_core
from srd_core.config import load_config
from srd_core.data.manifest import FileRef, StageManifest, canonical_json
from srd_core.errors import StorageError
from srd_core.scenes.dataset import write_shards
from srd_core.stages import inventory
from srd_core.stages.code import adopt, code_digest, reachable, read_tree, taken, tree_digest
from srd_core.stages.files import local_folder, part_of, shards_of
from srd_core.stages.stage import Details, Inputs, Outcome, Run, Stage, identity
from srd_core.storage.base import file_digest


class Counted:
    """A stage of two files that counts its executions."""

    def __init__(self, *, publishes: bool = False, name: str = "counted") -> None:
        self.calls = 0
        self.stage = Stage(name, self.work, ("canvas", "retrain.schedule"), publishes=publishes)

    def work(self, run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
        self.calls += 1
        (folder / "below").mkdir()
        (folder / "below" / "a.txt").write_text(f"{run.config.canvas} {dict(details)}")
        (folder / "b.txt").write_text("b")
        return Outcome({"below/a.txt": folder / "below" / "a.txt", "b.txt": folder / "b.txt"}, {"calls": self.calls})


def given(folder: Path, text: str, stage: str = "before") -> StageManifest:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "x.txt"
    path.write_text(text)
    ref = FileRef(uri=str(path), size=path.stat().st_size, sha256=file_digest(path))
    return StageManifest(stage=stage, key=f"made in {folder}", outputs={"x.txt": ref})


def with_config(run: Run, *overrides: str) -> Run:
    return replace(run, config=load_config(overrides=overrides))


def test_a_second_execution_finds_the_first(run: Run) -> None:
    counted = Counted()
    first = counted.stage.execute(run, {}, {"arm": "none"})
    assert counted.stage.execute(run, {}, {"arm": "none"}) == first
    assert counted.calls == 1
    assert counted.stage.execute(run, {}, {"arm": "srd"}).facts == {"calls": 2}


def test_what_many_need_at_once_one_makes(run: Run) -> None:
    busy = threading.Barrier(4)
    counted = Counted()

    def work(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
        time.sleep(0.2)
        return counted.work(run, inputs, details, folder)

    def ask(_: int) -> StageManifest:
        busy.wait()
        return Stage("counted", work, ("canvas",)).execute(run, {}, {})

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(ask, range(4)))
    assert counted.calls == 1
    assert made == [made[0]] * 4


def test_a_record_under_another_key_is_no_result(run: Run) -> None:
    counted = Counted()
    first = counted.stage.execute(run, {}, {"arm": "none"})
    other = counted.stage.key(run, {}, {"arm": "srd"})
    run.work_storage.put_bytes(f"counted/{other[:16]}.json", canonical_json(first))
    assert counted.stage.recorded(run, other) is None
    assert counted.stage.execute(run, {}, {"arm": "srd"}).facts == {"calls": 2}


def test_a_part_of_an_inventory_makes_the_same_result_and_is_small(run: Run) -> None:
    """Regression: each of ten thousand tasks was given the list of ten thousand shards."""
    write_shards(Path(run.source), 12, seed=1, side=16, per_shard=2)
    whole = inventory.take(run, "source")
    (first, *_), counted = shards_of(whole), Counted()
    part = part_of(whole, [first])
    assert shards_of(part) == [first] and len(canonical_json(part)) < len(canonical_json(whole)) / 2
    assert counted.stage.key(run, {"source": part}, {}) == counted.stage.key(run, {"source": whole}, {})


@pytest.mark.parametrize("name", ["b.txt", "../b.txt", "below/../b.txt"])
@pytest.mark.parametrize("place", ["elsewhere/b.txt", "sink/stages/../../elsewhere/b.txt"])
def test_a_record_that_names_files_elsewhere_is_not_believed(run: Run, tmp_path: Path, name: str, place: str) -> None:
    """Whoever wrote it knew their digests too."""
    counted = Counted()
    made = counted.stage.execute(run, {}, {})
    (tmp_path / "elsewhere").mkdir()
    path = Path(shutil.copy(made.outputs["b.txt"].uri, tmp_path / "elsewhere" / "b.txt"))
    forged = FileRef(uri=f"{tmp_path}/{place}", size=path.stat().st_size, sha256=file_digest(path))
    record = made.model_copy(update={"outputs": {**made.outputs, name: forged}})
    run.work_storage.put_bytes(f"counted/{made.key[:16]}.json", canonical_json(record), overwrite=True)
    assert counted.stage.find(run, made.key) is None
    assert counted.stage.execute(run, {}, {}).outputs == made.outputs
    assert counted.calls == 2


def test_a_record_with_a_name_that_leads_elsewhere_is_not_believed(run: Run) -> None:
    counted = Counted()
    made = counted.stage.execute(run, {}, {})
    record = made.model_copy(update={"outputs": {**made.outputs, "../b.txt": made.outputs["b.txt"]}})
    run.work_storage.put_bytes(f"counted/{made.key[:16]}.json", canonical_json(record), overwrite=True)
    assert counted.stage.find(run, made.key) is None


def test_a_sink_is_the_same_by_any_of_its_names(run: Run, tmp_path: Path) -> None:
    counted = Counted()
    made = counted.stage.execute(run, {}, {})
    (tmp_path / "link").symlink_to(tmp_path)
    for other in (f"{tmp_path}/link/sink", f"file://{tmp_path}/sink/", f"{tmp_path}/x/../sink"):
        assert counted.stage.execute(replace(run, sink=other), {}, {}).outputs == made.outputs
    assert counted.calls == 1


def test_a_name_that_leads_out_of_the_folder_is_refused(run: Run, tmp_path: Path) -> None:
    made = Counted().stage.execute(run, {}, {})
    outputs = {"model/../../out.pth": made.outputs["b.txt"]}
    with pytest.raises(StorageError, match="cannot be an object's key"):
        local_folder(made.model_copy(update={"outputs": outputs}), tmp_path / "local", "model/")
    assert not (tmp_path / "out.pth").exists()


def test_what_is_made_is_what_is_found_to_the_order_of_its_keys(run: Run) -> None:
    stage = Stage("unsorted", lambda *_: Outcome(facts={"z": {"y": 1, "x": 0.1}, "a": 2}), ())
    made, found = (stage.execute(run, {}, {}).model_dump_json() for _ in range(2))
    assert made == found


def test_the_files_are_where_the_manifest_says(run: Run) -> None:
    made = Counted().stage.execute(run, {}, {})
    for ref in made.outputs.values():
        assert file_digest(Path(ref.uri)) == ref.sha256 and Path(ref.uri).stat().st_size == ref.size
    assert Path(made.outputs["below/a.txt"].uri).is_relative_to(Path(run.sink) / "stages" / "counted")


def test_published_files_go_to_the_sink_under_their_own_names(run: Run) -> None:
    made = Counted(publishes=True).stage.execute(run, {}, {})
    assert Path(made.outputs["below/a.txt"].uri) == Path(run.sink) / "below" / "a.txt"


@pytest.mark.parametrize("override", ["canvas=32", "retrain.schedule.epochs=9"])
def test_configuration_that_is_read_changes_the_key(run: Run, override: str) -> None:
    stage = Counted().stage
    assert stage.key(run, {}, {}) != stage.key(with_config(run, override), {}, {})


@pytest.mark.parametrize("override", ["seed=5", "workers=1", "retrain.arms=[none]", "evaluation.attack=badnet"])
def test_other_configuration_does_not(run: Run, override: str) -> None:
    stage = Counted().stage
    assert stage.key(run, {}, {}) == stage.key(with_config(run, override), {}, {})


def test_inputs_count_by_content_and_role_not_by_place(run: Run, tmp_path: Path) -> None:
    stage = Counted().stage
    here, there, other = (given(tmp_path / name, text) for name, text in (("here", "same"), ("there", "same"), ("other", "else")))
    key = stage.key(run, {"source": here}, {})
    assert stage.key(run, {"source": there}, {}) == key
    assert stage.key(run, {"source": other}, {}) != key
    assert stage.key(run, {"trusted": here}, {}) != key
    assert identity(here) == identity(there) != identity(other)
    assert identity(StageManifest(stage="s", key="1")) != identity(StageManifest(stage="s", key="2"))


def test_a_sink_matters_only_to_what_is_published_there(run: Run) -> None:
    moved = replace(run, sink=run.sink + "-2")
    inside, published = Counted().stage, Counted(publishes=True).stage
    assert inside.key(run, {}, {}) == inside.key(moved, {}, {})
    assert published.key(run, {}, {}) != published.key(moved, {}, {})


def test_code_changes_the_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Counted().stage
    before = stage.key(run, {}, {})
    monkeypatch.setattr("srd_core.stages.stage.code_digest", lambda module: "edited")
    assert stage.key(run, {}, {}) != before


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _alter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("harm", [Path.unlink, _shorten, _alter, lambda path: shutil.rmtree(path.parent)])
def test_a_harmed_output_is_made_again(run: Run, harm: Callable[[Path], object]) -> None:
    counted = Counted()
    first = counted.stage.execute(run, {}, {})
    harm(Path(first.outputs["below/a.txt"].uri))
    assert counted.stage.find(run, first.key) is None
    second = counted.stage.execute(run, {}, {})
    assert counted.calls == 2 and second.outputs == first.outputs
    assert counted.stage.find(run, first.key) == second


@pytest.mark.parametrize("content", [b"", b"{", b'{"stage": "counted"}', b"[]"])
def test_a_record_that_cannot_be_read_is_no_record(run: Run, content: bytes) -> None:
    counted = Counted()
    counted.stage.execute(run, {}, {})
    (record,) = (Path(run.sink) / "stages" / "counted").glob("*.json")
    record.write_bytes(content)
    assert counted.stage.execute(run, {}, {}).facts == {"calls": 2}


def test_a_failure_leaves_no_record(run: Run) -> None:
    def fails(run: Run, inputs: Inputs, details: Details, folder: Path) -> Outcome:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("halfway")

    stage = Stage("fails", fails)
    with pytest.raises(RuntimeError, match="halfway"):
        stage.execute(run, {}, {})
    assert stage.find(run, stage.key(run, {}, {})) is None
    assert not list(Path(run.sink).rglob("half.txt"))


def test_a_stage_depends_on_everything_it_can_import() -> None:
    seen = reachable("srd_core.stages.trusted")
    assert {"srd_core.models.training", "srd_core.data.tar", "srd_core.reward.kneser_ney", "srd_core.errors"} <= seen
    assert not {name for name in seen if name.startswith("srd_core.report")}


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        ("calibrate", "srd_core.defences.channels.surprise"),
        ("cleanse", "srd_core.defences.channels.gain"),
        ("score", "srd_core.attacks.badnet"),
        ("score", "srd_core.attacks.trojvlm"),
    ],
)
def test_a_stage_depends_on_the_files_that_its_registries_find(stage: str, module: str) -> None:
    """They are imported by package name, which no import statement shows."""
    assert module in reachable(f"srd_core.stages.{stage}")


def test_a_key_is_known_without_loading_what_it_stands_for() -> None:
    """Looking for modules by import once loaded torch into the reader of hostile shards: half a gigabyte."""
    lines = (
        "import sys",
        "from srd_core.stages.code import code_digest, reachable",
        "assert code_digest('srd_core.stages.retrain')",
        "assert 'srd_core.models.flamingo' in reachable('srd_core.stages.retrain')",
        "assert 'torch' not in sys.modules and 'srd_core.models' not in sys.modules",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_digest_changes_with_a_module_far_down() -> None:
    before, real = code_digest("srd_core.stages.spar"), taken()
    adopt({**real, "seeds.py": real["seeds.py"] + b"# edited"})
    try:
        assert code_digest("srd_core.stages.spar") != before
    finally:
        adopt(real)


def _digests(root: Path) -> list[str]:
    """Of the code of the stages `report` and `score`, and of the whole tree, in the copy of the package at `root`."""
    said = "print(code_digest('srd_core.stages.report'), code_digest('srd_core.stages.score'), code()['code'])"
    lines = f"from srd_core.stages.code import code_digest; from srd_core.stages.origin import code; {said}"
    done = subprocess.run([sys.executable, "-c", lines], cwd=root, env={"PATH": ""}, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_an_edited_template_is_new_code_of_the_report_and_of_nothing_else(tmp_path: Path) -> None:
    """Regression: the page of before the edit was handed back."""
    package = tmp_path / "srd_core"
    shutil.copytree(Path(srd_core.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    seen = [_digests(tmp_path)]
    for name in ("report/templates/report.html", "report/templates/report.css", "profiles/photos.yaml"):
        (package / name).write_text((package / name).read_text() + "\n")
        seen.append(_digests(tmp_path))
    report, score, tree = zip(*seen, strict=True)
    assert len(set(report)) == 3 and report[2] == report[3]
    assert len(set(score)) == 1 and len(set(tree)) == 4


def test_the_digest_of_a_tree_changes_with_names_and_contents_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "a.py").write_text("x = 1\n")
    before = tree_digest(read_tree(tmp_path))
    (tmp_path / "part" / "__pycache__").mkdir()
    (tmp_path / "part" / "__pycache__" / "a.pyc").write_text("compiled")
    assert tree_digest(read_tree(tmp_path)) == before
    (tmp_path / "page.html").write_text("a template")
    assert tree_digest(read_tree(tmp_path)) != before
    (tmp_path / "page.html").unlink()
    (tmp_path / "part" / "a.py").rename(tmp_path / "part" / "b.py")
    renamed = tree_digest(read_tree(tmp_path))
    (tmp_path / "part" / "b.py").write_text("x = 2\n")
    assert len({before, renamed, tree_digest(read_tree(tmp_path))}) == 3


def test_a_sink_is_the_same_however_it_is_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: `sink/` and `./sink` did again what was finished for `sink`."""
    monkeypatch.chdir(tmp_path)
    stage = Counted(publishes=True).stage
    ways = ("sink", "./sink/", str(tmp_path / "sink"), f"file://{tmp_path}/sink")
    assert len({stage.key(replace(run, sink=way), {}, {}) for way in ways}) == 1
    assert stage.key(replace(run, sink="sink2"), {}, {}) != stage.key(replace(run, sink="sink"), {}, {})
