"""Cells of experiments: which are the same, that finished ones are kept and taken over, and that processes share them."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.bench import run_cell
from flows.cells import adopt, among, claimed, configuration, finished, identity, keep, offered, place_of, recorded
from flows.cli.bench import command
from flows.plan import Cell, Plan
from flows.plan_files import load_plan, load_size
from flows.size import Size
from srd_core.attacks.shadowcast import Shadowcast
from srd_core.config import load_config
from srd_core.errors import ConfigError
from srd_core.experiments.shards import ShardExperiment
from srd_core.scenes.dataset import write_shards
from tests.summaries import summary

SCENES = Size()
PAPER = Path(__file__).parents[2] / "docs" / "results" / "paper"


@pytest.mark.parametrize("name", sorted(path.stem for path in PAPER.glob("*.json")))
def test_published_cells_are_still_known(name: str) -> None:
    """Whatever experiments, sizes and configuration have learned since."""
    plan = load_plan(name)
    known = {identity(cell) for cell in plan.cells(load_size(plan.size))}
    published = json.loads((PAPER / f"{name}.json").read_text())
    assert published and {made["digest"] for made in published} <= known


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '"cell"', '{"adopted": "x"}'])
def test_a_damaged_summary_is_made_again(content: str, tmp_path: Path) -> None:
    """Regression: what was JSON and no summary ended the grid with an internal error."""
    cell = load_plan("table1").cells(SCENES, seeds=[0])[2]
    keep(cell, {**summary(cell), "adopted": "x"}, tmp_path)
    assert len(finished([cell], tmp_path)) == 1
    sink = place_of(cell, tmp_path) / "sink"
    sink.mkdir()
    (sink / "MANIFEST.json").touch()
    (place_of(cell, tmp_path) / "cell.json").write_text(content)
    assert finished([cell], tmp_path) == []


def test_plans_share_a_cell_where_every_setting_is_the_same_and_only_there(tmp_path: Path) -> None:
    names = ("table1", "table2", "table3", "clean", "rates", "controls")
    cells = {name: {cell.name: place_of(cell, tmp_path) for cell in load_plan(name).cells(SCENES)} for name in names}
    assert len({cells[name]["badnet-0.1-default-0"] for name in names}) == 1
    assert len({cells[name]["badnet-0.1-random-0"] for name in ("table3", "controls")}) == 1
    attacks = {cell.name: place_of(cell, tmp_path) for cell in load_plan("attacks").cells(SCENES)}
    assert attacks["badnet-0.1-default-0"] != cells["table1"]["badnet-0.1-default-0"]
    clean = {place["badnet-0-clean-0"] for place in (attacks, *cells.values()) if "badnet-0-clean-0" in place}
    assert len(clean) == 1  # whatever else the plans set


def test_an_edited_profile_makes_other_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = load_plan("table1").cells(SCENES, seeds=[0])[2]
    before = identity(cell)
    edited = load_config("scenes", None, ["retrain.schedule.epochs=3"])
    monkeypatch.setattr("flows.cells.load_config", lambda profile, file, settings: edited)
    assert identity(cell) != before
    monkeypatch.undo()
    assert identity(cell.model_copy(update={"settings": (*cell.settings, "workers=7")})) == before


def test_another_default_of_an_attack_makes_other_cells_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = load_plan("table1").cells(SCENES, seeds=[0], attacks=["shadowcast"])[1]
    before, data = identity(cell), cell.experiment.whole
    monkeypatch.setattr("srd_core.attacks.settings.get", lambda name: Shadowcast(concepts="circle"))
    assert identity(cell) != before and cell.experiment.whole != data
    said = cell.experiment.model_copy(update={"settings": {"concepts": Shadowcast().concepts}})
    assert identity(cell.model_copy(update={"experiment": said})) == before


def test_a_cell_has_one_claimant(tmp_path: Path) -> None:
    with claimed(tmp_path / "cell") as first, claimed(tmp_path / "cell") as second:
        assert (first, second) == (True, False)
    with claimed(tmp_path / "cell") as again:
        assert again


def test_data_that_two_cells_share_are_waited_for(tmp_path: Path) -> None:
    came = threading.Event()

    def wait() -> None:
        with claimed(tmp_path / "data", wait=True) as ours:
            assert ours
            came.set()

    with claimed(tmp_path / "data"):
        other = threading.Thread(target=wait)
        other.start()
        assert not came.wait(0.3)
    other.join(10)
    assert came.is_set()


def test_what_another_machine_finished_is_finished(tmp_path: Path) -> None:
    cells = load_plan("table1").cells(SCENES, seeds=[0])
    file, out = tmp_path / "table1.json", tmp_path / "out"
    file.write_text(json.dumps([summary(cells[2])]))
    told = CliRunner().invoke(command, ["table1", "--dry-run", "--json", "--seeds", "0", "--known", str(file), "--out", str(out)])
    assert [cost["cell"] for cost in json.loads(told.stdout) if cost["finished"]] == [cells[2].name]
    assert not out.exists()
    adopt(offered([file]), cells, out)
    assert [made["cell"] for made in finished(cells, out)] == [cells[2].name]
    assert [made["adopted"] for made in finished(cells, out)] == ["table1.json"]


def test_the_command_takes_over_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, file, out = load_plan("table1").cells(SCENES, seeds=[0]), tmp_path / "table1.json", tmp_path / "out"
    file.write_text(json.dumps([summary(cells[2])]))
    monkeypatch.setattr("flows.cli.bench.run_flow", lambda *asked: finished(cells, out))
    told = CliRunner().invoke(command, ["table1", "--seeds", "0", "--known", str(file), "--out", str(out)])
    assert told.exit_code == 0 and f"{cells[2].name}: clean" in told.output


def test_a_part_of_a_plan_keeps_all_that_is_known_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--attacks`, cells of other attacks were dropped from pages that `--known` had them for."""
    cells, file, out = load_plan("table1").cells(SCENES, seeds=[0]), tmp_path / "table1.json", tmp_path / "out"
    file.write_text(json.dumps([summary(cell) for cell in cells]))
    monkeypatch.setattr("flows.cli.bench.run_flow", lambda *asked: [])
    told = CliRunner().invoke(command, ["table1", "--attacks", "badnet", "--seeds", "0", "--known", str(file), "--out", str(out)])
    assert told.exit_code == 0 and "2 of 2 cells are known" in told.output
    assert [made["cell"] for made in finished(cells, out)] == [cell.name for cell in cells]


def test_only_the_very_same_settings_are_taken_over(tmp_path: Path) -> None:
    cell = load_plan("table1").cells(SCENES, seeds=[0])[2]
    other = cell.model_copy(update={"settings": (*cell.settings, "retrain.schedule.epochs=1")})
    adopt({identity(other): {**summary(other), "adopted": "x"}}, [cell], tmp_path)
    assert finished([cell], tmp_path) == []


@pytest.mark.parametrize(("changed", "same"), [({}, True), ({"evidence": {"false_positives": 0.4}}, False), ({"gone since": 1}, False)])
def test_a_cell_whose_record_has_other_settings_is_not_that_cell(tmp_path: Path, changed: dict[str, object], same: bool) -> None:
    """Regression: a default that was changed later left the digest as it was, and the old result was taken for the new one's."""
    cell, published = load_plan("table1").cells(SCENES, seeds=[0])[2:4]
    file, out = tmp_path / "table1.json", tmp_path / "out"
    file.write_text(json.dumps([{**summary(cell), "configuration": configuration(cell) | changed}, summary(published)]))
    told = CliRunner().invoke(command, ["table1", "--dry-run", "--json", "--seeds", "0", "--known", str(file), "--out", str(out)])
    done = [cost["cell"] for cost in json.loads(told.stdout) if cost["finished"]]
    assert f"{1 + same} of 8 cells are known from elsewhere, of 2 that were offered" in told.stderr
    assert done == ([cell.name, published.name] if same else [published.name]), "records without a configuration are known, too"
    adopt(offered([file]), [cell], out)
    assert bool(finished([cell], out)) == same
    keep(cell, {**summary(cell), "adopted": "x", "configuration": configuration(cell) | changed}, out)
    assert bool(finished([cell], out)) == same


def ended(cell: Cell, data: object, sink: Path, stages: Path) -> dict[str, str]:
    """In the place of a run: leaves what a finished one does."""
    sink.mkdir(parents=True)
    (sink / "scores.json").write_text("{}")
    (sink / "MANIFEST.json").touch()
    return {"status": "clean"}


def test_the_record_of_a_cell_holds_every_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell, *_) = load_plan("table1").cells(SCENES, seeds=[0])
    monkeypatch.setattr(type(cell.experiment), "make", lambda self, where: None)
    monkeypatch.setattr("flows.bench._verdict", ended)
    assert run_cell(cell, tmp_path)["configuration"] == configuration(cell)
    assert [made["configuration"] for made in finished([cell], tmp_path)] == [configuration(cell)]


@pytest.mark.parametrize("role", ["trusted", "suspect", "tests"])
def test_other_shards_in_the_old_place_make_another_cell(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the cell of the shards that had lain there before was taken for finished."""

    def fill(folder: str, seed: int) -> None:
        write_shards(Path(folder), 4, seed=seed, side=16)

    for machine in ("here", "there"):
        (tmp_path / machine).mkdir()
        monkeypatch.chdir(tmp_path / machine)
        for seed, folder in enumerate(("trusted", "suspect", "tests")):
            fill(folder, seed)
    (cell,) = Plan().cells(Size(profile="test", data=ShardExperiment(trusted="trusted", suspect="suspect", tests={"own": "tests"})))
    monkeypatch.setattr(ShardExperiment, "make", lambda self, where: None)
    monkeypatch.setattr("flows.bench._verdict", ended)
    made, here, there = run_cell(cell, tmp_path), tmp_path / "here", tmp_path / "adopted"
    whole = {**made, "verdict": {"status": "clean"}, "scores": {"models": [], "detection": {}, "policy": {}}}
    adopt({made["digest"]: {**whole, "adopted": "x"}}, [cell], there)
    for place in (tmp_path / "there", here):
        monkeypatch.chdir(place)
        assert len(finished([cell], tmp_path)) == len(finished([cell], there)) == 1, "copies elsewhere are the same data"
    fill(role, seed=9)
    assert finished([cell], tmp_path) == finished([cell], there) == []
    shutil.rmtree(role)
    assert len(recorded([cell], there)) == 1, "pages are made without a look at shards, which may be gone"
    fill(role, seed=9)
    assert among({made["digest"]: made}, [cell]) == []
    older = {name: value for name, value in made.items() if name != "data"}
    assert among({made["digest"]: older}, [cell]) == [cell], "records from before are known by place alone"
    fill(role, seed=("trusted", "suspect", "tests").index(role))
    assert len(finished([cell], tmp_path)) == 1


def test_a_setting_that_is_new_makes_no_other_cell(tmp_path: Path) -> None:
    cell = load_plan("table1").cells(SCENES, seeds=[0])[2]
    before = configuration(cell)
    del before["bounds"], before["retrain"]["protocols"]
    keep(cell, {**summary(cell), "adopted": "x", "configuration": before}, tmp_path)
    assert len(finished([cell], tmp_path)) == 1


def test_what_was_made_here_is_kept(tmp_path: Path) -> None:
    cell = load_plan("table1").cells(SCENES, seeds=[0])[2]
    keep(cell, summary(cell), tmp_path)
    assert finished([cell], tmp_path) == []  # its sink is gone
    (place_of(cell, tmp_path) / "sink").mkdir()
    (place_of(cell, tmp_path) / "sink" / "MANIFEST.json").touch()
    adopt({identity(cell): {**summary(cell), "seconds": 9, "adopted": "x"}}, [cell], tmp_path)
    assert [made["seconds"] for made in finished([cell], tmp_path)] == [1]


@pytest.mark.parametrize("content", ["", "{}", '[{"cell": "x"}]', "[1]"])
def test_a_file_without_summaries_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"odd\.json"):
        offered([file])


def test_another_surrogate_in_the_old_place_makes_other_data(tmp_path: Path) -> None:
    """Regression: cells of attacks that are optimised on it knew it by its place."""
    for name in ("trusted", "suspect", "tests"):
        write_shards(tmp_path / name, 2, seed=1, side=16)
    (tmp_path / "surrogate").mkdir()
    places = {name: str(tmp_path / name) for name in ("trusted", "suspect", "surrogate")}

    def content(attack: str, weights: str) -> dict[str, str]:
        (tmp_path / "surrogate" / "model.safetensors").write_text(weights)
        return ShardExperiment(attack=attack, tests={"own": str(tmp_path / "tests")}, **places).content

    assert content("vl-trojan", "one") != content("vl-trojan", "two")
    assert content("badnet", "one") == content("badnet", "two")
