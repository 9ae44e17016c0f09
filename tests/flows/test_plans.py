"""Plans in files: what is refused before hours have gone by, and what a part of one costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cells import finished, keep
from flows.cli.bench import command
from flows.cost import costs
from flows.plan import Plan
from flows.plan_files import cells_of, load_plan
from flows.size import Size
from srd_core.errors import ConfigError
from tests.summaries import summary

SHARDS = {"kind": "shards", "trusted": "{data}/a-*.tar", "suspect": "{data}/b-*.tar", "tests": {"x": "{data}/c-*.tar"}}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"attacks": ["badnet", "badnet"]}, "attacks: badnet is there twice"),
        ({"seeds": [0, 1, 0]}, "seeds: 0 is there twice"),
        ({"rates": [0.1, 0.10]}, "rates: 0.1 is there twice"),
        ({"variants": [{"name": "x"}, {"name": "x", "settings": ["workers=1"]}]}, "variants: x is there twice"),
        ({"variants": [{"name": "clean"}], "clean": True}, "variants: clean is there twice"),
        ({"comparison": {"columns": [{"name": "a", "arm": "none"}], "figures": ["cider_of_clean"]}}, "set clean: true"),
        ({"variants": [{"name": "x", "data": {"rate": 0.2}}]}, r"variants\.0\.data: rate: cells are named after the plan's rates"),
        ({"variants": [{"name": "x", "data": {"target": "y", "seed": 7}}]}, "seed: cells are named after the plan's seeds"),
        ({"variants": [{"name": "x", "data": {"attack": "sig"}}]}, "attack: cells are named after the plan's attacks"),
        ({"comparison": {"columns": [{"name": "a", "arm": "none"}] * 2, "figures": ["asr"]}}, "columns: a is there twice"),
        ({"comparison": {"columns": [{"name": "a", "arm": "none", "against": "b"}], "figures": ["asr"]}}, "there is no column 'b'"),
        ({"comparison": {"columns": [{"name": "a", "arm": "none", "source": "b"}], "figures": ["asr_g"]}}, "there is no variant 'b'"),
    ],
)
def test_names_that_would_mix_figures_are_refused(keys: dict[str, object], said: str, tmp_path: Path) -> None:
    """Two cells of one name counted as two seeds, and a variant with a rate of its own stood under that of the plan."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(keys))
    with pytest.raises(ConfigError, match=said):
        load_plan(str(plan))


@pytest.mark.parametrize("by", ["attack", "shifted"])
def test_charts_that_would_show_the_last_of_several_rates_are_refused(by: str) -> None:
    """Regression: all rates had one bar, so that the last stood there, and nothing said which."""
    keys = {"charts": [{"figures": ["asr"], "by": by}]}
    Plan.model_validate({"rates": [0, 0.1], **keys})
    Plan.model_validate({"rates": [0.01, 0.1], "charts": [{"figures": ["asr"], "by": "rate"}]})
    with pytest.raises(ValueError, match=f"charts: one by {by} shows one rate"):
        Plan.model_validate({"rates": [0.01, 0.1], **keys})


def test_a_plan_that_is_not_text_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_bytes(b"title: \xff\xfe")
    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        load_plan(str(plan))


def test_a_file_in_the_working_folder_does_not_take_the_place_of_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = load_plan("table1")
    (tmp_path / "table1").write_text(json.dumps({"attacks": ["badnet"]}))
    monkeypatch.chdir(tmp_path)
    assert load_plan("table1") == ours
    assert load_plan("./table1").attacks == ("badnet",)


def test_a_plan_none_of_whose_variants_is_of_the_attacks_is_refused(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"variants": [{"name": "x", "attacks": ["badnet"]}]}))
    with pytest.raises(ConfigError, match="no variant is run with any of these attacks") as refused:
        cells_of(str(plan), attacks=["blended"])
    assert refused.value.hint == "Its variants are of badnet"


def test_the_folder_of_the_data_is_for_sizes_in_a_plan_too(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"size": {"data": SHARDS}}))
    _, size, _ = cells_of(str(plan), data="/shards")
    assert size.model_dump()["data"]["tests"] == {"x": "/shards/c-*.tar"}
    with pytest.raises(ConfigError, match="do not come with SRD"):
        cells_of(str(plan))
    with pytest.raises(ConfigError, match="size of the plan takes no --data"):
        cells_of("low-rates", data="/shards")


def test_what_another_machine_learned_is_not_here() -> None:
    cells = load_plan("table1").cells(Size(seconds={"seed": 60, "model": 1}), seeds=[0])
    srd = next(cell for cell in cells if cell.experiment.rate)
    here, elsewhere = (costs(cells, Size(seconds={"seed": 60, "model": 1}), {srd.name}, elsewhere=there) for there in ((), {srd.name}))
    assert sum(cost.seconds for cost in elsewhere) == pytest.approx(sum(cost.seconds for cost in here) + 60)


def test_cells_that_another_process_is_at_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = load_plan("table1").cells(Size(), seeds=[0])
    keep(first, {**summary(first), "adopted": "x"}, tmp_path)
    monkeypatch.setattr("flows.cli.bench.run_flow", lambda *asked: finished([first], tmp_path))
    told = CliRunner().invoke(command, ["table1", "--seeds", "0", "--out", str(tmp_path)])
    assert told.exit_code == 0 and "7 of 8 cells are another process's still" in told.stderr


def test_every_plan_that_comes_with_it_compares_columns_of_the_same_attack() -> None:
    """A defended column is compared with the undefended one of its variant; `untreated`, which has none, with that of its data."""
    for name in ("attacks", "generalisation"):
        plan = load_plan(name)
        table, data = plan.comparison, {variant.name: variant.data for variant in plan.variants}
        assert table is not None
        by_name = {column.name: column for column in table.columns}
        for column in table.columns:
            before = by_name[table.baseline(column)]
            if column.arm not in ("none", "untreated"):
                assert before.variant == column.variant
            assert column.arm != "untreated" or (before.arm == "none" and data[before.variant] == data[column.variant])
