"""Experiment grids: what the cells are, what they cost, that finished ones are kept, and that processes share them."""

from __future__ import annotations

import json
import multiprocessing
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.bench import _ended, _verdict, bench, run_cells
from flows.cells import claimed, identity, keep, place_of
from flows.cli.bench import command
from flows.cost import costs
from flows.plan import Plan
from flows.plan_files import cells_of, load_plan, load_size, pages_name, plans
from flows.size import Size, placed
from flows.summary import Pages
from srd_core.attacks.registry import names
from srd_core.config import load_config
from srd_core.errors import ClaimedError, ConfigError, ConflictError, SrdError
from srd_core.experiments.planted import ExperimentData
from srd_core.experiments.shards import ShardExperiment
from srd_core.report.comparison_page import LABELS
from tests.summaries import summary

SCENES = Size()
PAPER = Path(__file__).parents[2] / "docs" / "results" / "paper"


def test_a_grid_is_the_product_of_its_sides() -> None:
    plan = Plan.model_validate(
        {
            "attacks": ["badnet", "sig"],
            "seeds": [0, 1],
            "rates": [0.1, 0.01],
            "variants": [{"name": "x"}, {"name": "y", "settings": ["seed=9"]}],
        }
    )
    cells = plan.cells(SCENES)
    assert len({cell.name for cell in cells}) == len(cells) == 16


def test_a_variants_settings_come_last() -> None:
    plan = Plan.model_validate({"seeds": [3], "settings": ["workers=1"], "variants": [{"name": "y", "settings": ["workers=2"]}]})
    assert plan.cells(SCENES)[0].settings == ("seed=3", "workers=1", "workers=2")
    size = Size(settings=("workers=3",))
    assert plan.cells(size)[0].settings == ("seed=3", "workers=3", "workers=1", "workers=2")


def test_clean_training_is_one_more_cell_a_seed() -> None:
    plan = Plan.model_validate({"attacks": ["badnet", "sig"], "seeds": [0, 1], "clean": True})
    made = [(cell.experiment.seed, cell.experiment.rate) for cell in plan.cells(SCENES)]
    assert made == [(0, 0.0), (0, 0.1), (0, 0.1), (1, 0.0), (1, 0.1), (1, 0.1)]
    assert len(plan.cells(SCENES, seeds=[7])) == 3


def test_a_variant_may_be_of_some_attacks_and_carry_their_settings() -> None:
    variants = [{"name": "x"}, {"name": "y", "attacks": ["blended"], "data": {"settings": {"alpha": 0.2}}}]
    plan = Plan.model_validate({"attacks": ["badnet", "blended"], "variants": variants})
    cells = {cell.name: cell for cell in plan.cells(SCENES)}
    assert cells.keys() == {"badnet-0.1-x-0", "blended-0.1-x-0", "blended-0.1-y-0"}
    assert cells["blended-0.1-y-0"].experiment.settings == {"alpha": 0.2} and not cells["blended-0.1-x-0"].experiment.settings
    assert [cell.name for cell in plan.cells(SCENES, attacks=["badnet"])] == ["badnet-0.1-x-0"]
    with pytest.raises(ConfigError, match="badnet has no setting 'alpha'"):
        Plan.model_validate({"variants": [{"name": "y", "data": {"settings": {"alpha": 0.2}}}]}).cells(SCENES)


@pytest.mark.parametrize("name", plans())
def test_the_plans_that_come_along_can_run(name: str) -> None:
    plan = load_plan(name)
    size = load_size(plan.size)
    columns = {(column.variant, column.arm) for column in plan.comparison.columns} if plan.comparison else set()
    made = set()
    for cell in plan.cells(size):
        assert cell.experiment.attack in names()
        config = load_config(cell.profile, None, [*cell.settings, "evaluation.attack=badnet"])
        made |= {(cell.variant, arm) for arm in (*config.retrain.arms, config.cleanse.mode)}
    assert columns <= made
    figures = {name for chart in plan.charts for name in chart.figures} | set(plan.comparison.figures if plan.comparison else ())
    assert figures <= LABELS.keys()


def test_an_attack_that_there_is_not_is_refused_before_anything_is_run() -> None:
    with pytest.raises(ConfigError, match="bogus"):
        load_plan("table1").cells(SCENES, attacks=["bogus"])


def test_a_size_on_shards_names_their_folder(tmp_path: Path) -> None:
    size = load_size("photos", str(tmp_path))
    assert isinstance(size.data, ShardExperiment) and size.data.trusted.startswith(f"{tmp_path}/flickr8k")
    with pytest.raises(ConfigError, match="--data"):
        load_size("photos")
    with pytest.raises(ConfigError, match="there is no size 'huge'"):
        load_size("huge")


def test_what_cells_share_is_paid_for_once() -> None:
    size = Size(seconds={"seed": 100, "model": 10})
    settings = ["retrain.arms=[none]", "cleanse.mode=srd", "retrain.protocols=[p1]"]
    variants = [{"name": "x"}, {"name": "y", "settings": ["policy.kind=sac"]}]
    plan = Plan.model_validate({"attacks": ["badnet", "blended"], "variants": variants, "settings": settings})
    found = costs(plan.cells(size), size, ["blended-0.1-x-0"])
    assert [(cost.models, cost.learns) for cost in found] == [(2, True), (2, False), (1, True), (1, False)]
    assert [round(cost.seconds) for cost in found] == [121, 0, 111, 11]
    assert [round(cost.seconds) for cost in costs(plan.cells(size), size, [], slower=4)] == [483, 83, 443, 43]


def test_models_that_are_only_tested_on_more_are_paid_for_once() -> None:
    """Regression: cells that differ in test shifts alone were said to train all their models anew."""
    variants = [{"name": "x"}, {"name": "y", "data": {"test_shifts": ["film"]}}, {"name": "z", "data": {"shift": "film"}}]
    settings = ["retrain.arms=[none]", "cleanse.mode=none", "retrain.protocols=[p1]"]
    size = Size(seconds={"model": 10})
    found = costs(Plan.model_validate({"variants": variants, "settings": settings}).cells(size), size, [])
    assert [(cost.models, cost.seconds) for cost in found] == [(1, 10), (0, 0), (1, 10)]


def test_what_a_screen_trains_by_itself_is_counted() -> None:
    size = Size(seconds={"model": 100})
    settings = ["retrain.arms=[none, ct]", "retrain.protocols=[p1]", "cleanse.mode=none"]
    (cost,) = costs(Plan.model_validate({"settings": settings}).cells(size), size, [])
    assert cost.models == 2 and cost.seconds > 300, "confusion training takes longer than one of the two models"


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    said = CliRunner().invoke(command, ["table1", "--dry-run", "--seeds", "0", "--out", str(tmp_path / "out")])
    assert said.exit_code == 0, said.output
    assert "badnet-0.1-default-0" in said.output and "8 of 8 cells to run" in said.output
    assert not (tmp_path / "out").exists()
    assert "bfloat16" in said.output.splitlines()[-1]
    listed = json.loads(CliRunner().invoke(command, ["table1", "--dry-run", "--json", "--seeds", "0,1"]).output)
    assert len(listed) == 16 and {cost["finished"] for cost in listed} == {False}


def test_what_is_asked_for_twice_counts_once() -> None:
    listed = json.loads(CliRunner().invoke(command, ["table1", "--dry-run", "--json", "--seeds", "0,0", "--attacks", "sig,sig"]).output)
    assert [cost["cell"] for cost in listed] == ["badnet-0-clean-0", "sig-0.1-default-0"]


def test_names_of_attacks_may_have_spaces_between() -> None:
    listed = json.loads(CliRunner().invoke(command, ["rates", "--dry-run", "--json", "--seeds", "0", "--attacks", "badnet, sig"]).output)
    assert {cost["cell"].partition("-")[0] for cost in listed} == {"badnet", "sig"}


def test_of_a_finished_grid_nothing_is_to_run_and_its_pages_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, size, cells = cells_of("table1", seeds=[0])
    for cell in cells:
        keep(cell, {**summary(cell), "adopted": "x"}, tmp_path)
    said = CliRunner().invoke(command, ["table1", "--dry-run", "--seeds", "0", "--out", str(tmp_path)])
    assert said.output.splitlines()[-1] == "nothing to run: all 8 cells are finished"
    written: list[int] = []
    monkeypatch.setattr(Pages, "write", lambda self, cells: written.append(len(cells)))
    assert len(run_cells(Pages(plan, "table1", size, "srd bench table1", tmp_path), cells, 2)) == 8
    assert written == [8]


def test_a_part_of_a_plan_adds_to_its_pages_and_takes_nothing_from_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, size, part = cells_of("table1", seeds=[1, 8], attacks=["badnet"])
    for cell in [*plan.cells(size, seeds=[0]), *part]:
        keep(cell, {**summary(cell), "adopted": "x"}, tmp_path)
    written: list[str] = []
    monkeypatch.setattr(Pages, "write", lambda self, cells: written.extend(made["cell"] for made in cells))
    assert [made["cell"] for made in run_cells(Pages(plan, "table1", size, "srd bench table1", tmp_path), part, 2)] == [
        cell.name for cell in part
    ]
    assert written == [cell.name for cell in [*plan.cells(size, seeds=[0]), *part]]


def test_pages_of_a_size_leave_out_what_cannot_run_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a surrogate, attacks that need one are no cells of the size, and no error of another attack's."""
    plan, size, part = cells_of("table1", "photos", str(tmp_path), seeds=[0], attacks=["badnet"])
    assert "shadowcast" in {cell.experiment.attack for cell in plan.unchecked(size)}
    for cell in part:
        keep(cell, {**summary(cell), "adopted": "x"}, tmp_path)
    written: list[str] = []
    monkeypatch.setattr(Pages, "write", lambda self, cells: written.extend(made["cell"] for made in cells))
    run_cells(Pages(plan, "table1", size, "srd bench table1", tmp_path), part, 2)
    assert written == [cell.name for cell in part]


def test_pages_of_two_sizes_of_a_plan_do_not_overwrite_each_other() -> None:
    plan = load_plan("table1")
    assert pages_name("table1", plan) == pages_name("table1", plan, "scenes") == "table1"
    assert pages_name("mine/table1.yaml", plan, "photos") == "table1-photos"
    assert pages_name("table1", plan, "mine/small.yaml") == "table1-small"
    assert pages_name("own", Plan(size=SCENES), "scenes") == "own-scenes"


def test_the_folder_of_the_data_may_be_named_anywhere_in_a_size() -> None:
    assert placed({"settings": ["base.path={data}/base"], "data": {"x": "{data}"}}, "/d/") == {
        "settings": ["base.path=/d/base"],
        "data": {"x": "/d"},
    }


def test_bad_seeds_are_refused() -> None:
    with pytest.raises(ConfigError, match="--seeds is '0;1'"):
        CliRunner().invoke(command, ["smoke", "--seeds", "0;1"], catch_exceptions=False)


@pytest.mark.slow
def test_a_grid_runs_and_keeps_what_is_finished(prefect_server: None, tmp_path: Path) -> None:
    first = bench("smoke", str(tmp_path))
    assert json.loads((tmp_path / "smoke.json").read_text()) == first
    page = (tmp_path / "smoke.md").read_text()
    assert "**paper**" in page and (tmp_path / "smoke-asr-scenes-p1.svg").exists()
    assert len((tmp_path / "smoke.csv").read_text().splitlines()) == 1 + 2 * 2 * 2 * 3  # such models say nothing: no share of clean CIDEr
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/**/*.json")}
    plan = load_plan("smoke")
    size = load_size(plan.size)
    place = place_of(plan.cells(size)[0], tmp_path)
    (place / "cell.json").unlink()
    assert [cell["verdict"] for cell in bench("smoke", str(tmp_path))] == [cell["verdict"] for cell in first]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("stages/**/*.json")} == before
    (place / "cell.json").unlink()
    (place / "sink" / "RUN.json").write_text('{"srd": "of an older version that was cut off"}')
    assert [cell["verdict"] for cell in bench("smoke", str(tmp_path))] == [cell["verdict"] for cell in first]


def test_cells_are_begun_in_their_order(prefect_server: None, tmp_path: Path) -> None:
    """So that one seed is finished before the next; here every cell is another process's, so that its turn is all that it takes."""
    cells = Plan.model_validate({"attacks": ["badnet", "sig", "blended"], "seeds": range(5)}).cells(SCENES)
    with ExitStack() as others:
        assert all(others.enter_context(claimed(place_of(cell, tmp_path))) for cell in cells)
        ended = list(_ended(cells, tmp_path, 2))
    assert sorted(map(identity, ended)) == sorted(map(identity, cells))
    assert all(cells.index(cell) <= turn + 1 for turn, cell in enumerate(ended))


def test_only_another_runs_sink_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of a run whose source changed while it was read: what it has made stays."""
    (cell, *_), sink = load_plan("table1").cells(SCENES, seeds=[0]), tmp_path / "sink"
    data = ExperimentData("source", "trusted", {}, tmp_path / "truth", "badnet", "banana")
    raised: list[Exception] = [ConflictError("it has changed since it was listed", hint="")]

    def run(*_: object, **__: object) -> dict[str, str]:
        if raised:
            raise raised.pop()
        return {"status": "clean"}

    monkeypatch.setattr("flows.bench.srd", run)
    sink.mkdir()
    with pytest.raises(ConflictError, match="has changed"):
        _verdict(cell, data, sink, tmp_path)
    assert sink.exists()
    raised.append(ClaimedError("it belongs to a run that is different", hint=""))
    assert _verdict(cell, data, sink, tmp_path) == {"status": "clean"} and not sink.exists()


@pytest.mark.slow
def test_a_cell_that_fails_ends_the_grid_and_says_why(prefect_server: None, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    broken = {**load_plan("smoke").model_dump(mode="json"), "settings": ["workers=0", "base.path=/nowhere"]}
    plan.write_text(json.dumps(broken))
    with pytest.raises(SrdError, match="/nowhere"):
        bench(str(plan), str(tmp_path / "out"))
    assert not multiprocessing.active_children()
