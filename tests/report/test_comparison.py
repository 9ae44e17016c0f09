"""Our tables beside the paper's: the right cells in the right row, the paper's printed number, and the direction."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from srd_core.report.charts import Chart, drawn
from srd_core.report.comparison import Column, Comparison, Entry, entries
from srd_core.report.comparison_page import as_csv, as_markdown
from srd_core.scoring.intervals import wilson

TABLE = Comparison.model_validate(
    {
        "paper": "table1",
        "columns": [{"name": "no defence", "arm": "none", "paper": "none"}, {"name": "SRD", "arm": "srd", "paper": "srd"}],
        "figures": ["cider_triggered", "asr", "cider_of_clean"],
        "test_sets": {"scenes": "COCO"},
    }
)


def model(arm: str, protocol: str, hits: int, cider: float = 2.0) -> dict[str, Any]:
    figure = {"value": cider, "low": cider - 0.1, "high": cider + 0.1, "n": 200}
    asr = wilson(hits, 200).model_dump()
    return {"arm": arm, "protocol": protocol, "domain": "scenes", "cider": figure, "cider_triggered": figure, "asr": asr}


def cell(seed: int, *models: dict[str, Any], rate: float = 0.1, variant: str = "default", attack: str = "badnet") -> dict[str, Any]:
    about = {"experiment": {"attack": attack, "rate": rate, "seed": seed}, "variant": variant}
    return {"cell": "x", "settings": about, "scores": {"models": list(models)}}


CELLS = [
    cell(0, model("none", "p1", 0, cider=4.0), rate=0.0, variant="clean"),
    cell(0, model("none", "p1", 200, cider=3.0), model("srd", "p1", 20), model("srd", "p2", 198)),
    cell(1, model("none", "p1", 200), model("srd", "p1", 40), model("srd", "p2", 200)),
    cell(0, model("none", "p1", 7), rate=0.01),
    cell(0, model("none", "p1", 9), variant="other"),
]


def only(found: list[Entry], **wanted: Any) -> Entry:
    (entry,) = [e for e in found if all(getattr(e, name) == value for name, value in wanted.items())]
    return entry


def test_seeds_are_combined_and_the_papers_number_stands_beside() -> None:
    found = entries(TABLE, CELLS)
    entry = only(found, rate=0.1, column="SRD", protocol="p1", figure="asr")
    assert (entry.ours.value, entry.seeds, entry.paper) == (pytest.approx(0.15), 2, 45.7)
    assert only(found, rate=0.1, column="no defence", figure="asr").paper == 99.9


def test_seeds_that_do_not_know_a_figure_are_not_counted() -> None:
    assert only(entries(TABLE, CELLS), rate=0.1, column="no defence", figure="cider_of_clean").seeds == 1


def test_other_rates_and_variants_stay_out() -> None:
    found = entries(TABLE, CELLS)
    assert only(found, rate=0.01, figure="asr").ours.value == pytest.approx(7 / 200)
    assert only(found, rate=0.01, figure="asr").paper is None
    assert not any(e.ours.value == pytest.approx(9 / 200) for e in found)


def test_clean_quality_is_a_share_of_the_clean_trained_models_of_the_same_seed() -> None:
    assert only(entries(TABLE, CELLS[:2]), column="no defence", figure="cider_of_clean").ours.value == pytest.approx(0.75)
    assert not [e for e in entries(TABLE, CELLS[1:2]) if e.figure == "cider_of_clean"]


def test_clean_quality_is_a_share_of_the_plans_own_clean_model() -> None:
    """Regression: the last cell with nothing planted was the divisor, whatever its variant changes of the model, or its attacker trains."""
    others = [cell(0, model("none", "p1", 200, cider=1.0), rate=0.0, variant=name, attack=name) for name in ("frozen", "vlood")]
    for cells in ([*CELLS[:2], *others], [*others, *CELLS[:2]]):
        assert only(entries(TABLE, cells), column="no defence", figure="cider_of_clean").ours.value == pytest.approx(0.75)


def test_success_that_is_unknown_generalises_to_nothing() -> None:
    """No test image counted: all references hold the target."""
    unknown = {**model("none", "p1", 0), "asr": {"value": None, "low": 0.0, "high": 1.0, "n": 0}}
    table = TABLE.model_copy(update={"figures": ("asr_g",), "columns": (Column(name="other", arm="none", variant="other"),)})
    known = cell(0, model("none", "p1", 100))
    assert entries(table, [known, cell(0, unknown, variant="other")]) == []
    assert only(entries(table, [known, cell(0, model("none", "p1", 50), variant="other")])).ours.value == pytest.approx(0.5)


def test_an_attack_generalises_from_where_nothing_is_shifted() -> None:
    """Train domain x test domain: the divisor is the success at home, whatever is tested on, and each victim's own."""
    home, away = model("none", "p1", 160), {**model("none", "p1", 80), "domain": "painting"}
    shifted_home, shifted_away = model("none", "p1", 40), {**model("none", "p1", 120), "domain": "painting"}
    frozen_home, frozen_away = model("none", "p1", 120), {**model("none", "p1", 30), "domain": "painting"}
    defended = model("evidence", "p1", 8)
    cells = [
        cell(0, home, away, defended),
        cell(0, shifted_home, shifted_away, variant="painting"),
        cell(0, frozen_home, frozen_away, variant="frozen"),
    ]
    columns = (
        Column(name="all", arm="none"),
        Column(name="all, painted", arm="none", variant="painting"),
        Column(name="frozen", arm="none", variant="frozen", source="frozen"),
        Column(name="defended", arm="evidence"),
    )
    found = entries(TABLE.model_copy(update={"figures": ("asr_g", "asr_source"), "columns": columns}), cells)
    shares = {(e.column, e.test_set): e.ours.value for e in found if e.figure == "asr_g"}
    assert shares == pytest.approx(
        {
            ("all", "scenes"): 1.0,
            ("all", "painting"): 80 / 160,
            ("all, painted", "scenes"): 40 / 160,
            ("all, painted", "painting"): 120 / 160,
            ("frozen", "scenes"): 1.0,
            ("frozen", "painting"): 30 / 120,
            ("defended", "scenes"): 8 / 160,
        }
    )
    sources = {(e.column, e.test_set): e.ours.value for e in found if e.figure == "asr_source"}
    assert sources["all, painted", "painting"] == 0.8 and sources["frozen", "painting"] == 0.6


GENERALISED = TABLE.model_copy(
    update={"figures": ("asr_g", "asr_source"), "columns": (Column(name="painted", arm="none", variant="painting"),)}
)


def over_seeds(at_home: list[int], painted: list[int]) -> list[dict[str, Any]]:
    home = [cell(seed, model("none", "p1", hits)) for seed, hits in enumerate(at_home)]
    return [*home, *(cell(seed, model("none", "p1", hits), variant="painting") for seed, hits in enumerate(painted))]


@pytest.mark.parametrize("at_home", [[0, 1, 2], [180, 190, 99]])
def test_an_attack_that_does_not_work_at_home_with_every_seed_generalises_to_nothing(at_home: list[int]) -> None:
    """One success of 200 at home and four elsewhere are no generalisation of 100 %."""
    found = entries(GENERALISED, over_seeds(at_home, [4, 4, 4]))
    assert [entry.figure for entry in found] == ["asr_source"] and found[0].seeds == 3


def test_success_everywhere_is_no_certainty() -> None:
    share, source = entries(GENERALISED, over_seeds([200, 200, 200], [200, 200, 200]))
    assert share.ours.value == source.ours.value == 1.0 == share.ours.high
    assert 0.99 < share.ours.low < 1 and 0.99 < source.ours.low < 1


def test_generalisation_is_no_surer_than_its_images_whatever_it_is_a_share_of() -> None:
    (share, _) = entries(GENERALISED, over_seeds([100, 100, 100], [50, 50, 50]))
    alone = wilson(150, 600)
    assert share.ours.value == pytest.approx(0.5)
    assert (share.ours.low, share.ours.high) == pytest.approx((alone.low / 0.5, alone.high / 0.5))


def test_the_page_tells_a_change_from_none() -> None:
    page = as_markdown(TABLE, entries(TABLE, CELLS))
    (line,) = [line for line in page.splitlines() if line.startswith("| badnet | 0.1 | scenes | SRD | no defence | -")]
    first, second, paper = line.split("|")[6:9]
    assert first.startswith(" -85.0 [-100.0, ") and first.endswith("] ° ")
    assert second.startswith(" -0.5 [") and second.endswith(" °, no difference seen ") and paper == " -54.2 "
    assert "which images succeeded is not on record" in page
    assert "| badnet | 0.1 | COCO | SRD | **paper** | 51.3 | 45.7 | – |" in page


def hits(arm: str, protocol: str, text: str) -> dict[str, Any]:
    return {**model(arm, protocol, 0), "asr": wilson(text.count("1"), len(text) - text.count("-")).model_dump(), "hits": text}


def test_the_same_images_are_compared_with_themselves() -> None:
    """Twelve images of 200 changed, all one way: the two intervals overlap widely, and the change is plain."""
    before, after = "1" * 100 + "0" * 100, "1" * 88 + "0" * 112
    found = entries(TABLE, [cell(0, hits("none", "p1", before), hits("srd", "p1", after), hits("srd", "p2", after[::-1]))])
    paired = only(found, column="SRD", protocol="p1", figure="asr")
    assert wilson(100, 200).low < wilson(88, 200).high
    assert paired.against is not None and paired.against.by_image and paired.against.seen
    assert paired.against.change.value == pytest.approx(-0.06) and -0.1 < paired.against.change.low < paired.against.change.high < -0.02
    other = only(found, column="SRD", protocol="p2", figure="asr").against
    assert other is not None and not other.seen and other.change.value == pytest.approx(-0.06)
    page = as_markdown(TABLE, found)
    assert "°" not in page and "not on record" not in page


def test_seeds_are_pairs_too() -> None:
    """They lie far apart and all fall by as much; without pairs nothing would be seen."""
    cells = [
        cell(
            seed,
            hits("none", "p1", "1" * share + "0" * (400 - share)),
            hits("srd", "p1", "1" * (share - drop) + "0" * (400 - share + drop)),
        )
        for seed, (share, drop) in enumerate([(100, 40), (200, 42), (390, 41)])
    ]
    against = only(entries(TABLE, cells), column="SRD", figure="asr").against
    assert against is not None and against.seen and against.change.value == pytest.approx(-0.1025)
    alone = only(entries(TABLE, [*cells[:1], cell(1, hits("srd", "p1", "0" * 400))]), column="SRD", figure="asr").against
    assert alone is not None and alone.change.value == pytest.approx(-0.1)  # the seed that both have


def test_counts_that_agree_over_seeds_are_not_certain() -> None:
    """One image fewer in each of three seeds, of which it is not known whether it is the same one."""
    cells = [cell(seed, model("none", "p1", 200), model("srd", "p1", 199)) for seed in range(3)]
    against = only(entries(TABLE, cells), column="SRD", figure="asr").against
    assert against is not None and not against.by_image and not against.seen


def test_all_images_of_one_seed_turned_are_not_certain() -> None:
    """A bootstrap of pairs that all agree has no width: "-100.0 [-100.0, -100.0]" of 200 images."""
    found = entries(TABLE, [cell(0, hits("none", "p1", "1" * 200), hits("srd", "p1", "0" * 200), hits("srd", "p2", "1" * 200))])
    turned, same = (only(found, column="SRD", protocol=protocol, figure="asr").against for protocol in ("p1", "p2"))
    assert turned is not None and (turned.change.value, turned.change.low) == (-1.0, -1.0) and -0.98 < turned.change.high < -0.95
    assert same is not None and same.change.value == 0 and -0.03 < same.change.low < 0 < same.change.high < 0.03


def test_only_images_that_count_for_both_are_compared() -> None:
    """Which are left out depends on the attacker's word: here one image each, and not the same."""
    found = entries(TABLE, [cell(0, hits("none", "p1", "-0" + "1" * 50), hits("srd", "p1", "0-" + "1" * 50))])
    change = only(found, column="SRD", protocol="p1", figure="asr").against
    assert change is not None and change.by_image and change.change.n == 50 and not change.seen


@pytest.mark.parametrize("told", [hits, lambda arm, protocol, text: model(arm, protocol, text.count("1"))], ids=["by image", "by count"])
def test_a_change_on_the_same_images_is_no_surer_than_one_seeds(told: Callable[[str, str, str], dict[str, Any]]) -> None:
    """Regression: shards are the same with every seed, and 3 of 200 images thrice were taken for 9 of 600."""
    before, after = "1" * 20 + "0" * 180, "1" * 17 + "0" * 183
    cells = [cell(seed, told("none", "p1", before), told("srd", "p1", after)) for seed in range(3)]
    for made in cells:
        made["settings"]["experiment"]["kind"] = "shards"
    alone, thrice = (only(entries(TABLE, part), column="SRD", figure="asr") for part in (cells[:1], cells))
    assert alone.against is not None and thrice.against is not None
    assert thrice.against.change.model_dump() == pytest.approx(alone.against.change.model_dump())
    assert thrice.ours.model_dump() == pytest.approx(alone.ours.model_dump())


def test_generalisation_on_the_same_images_is_no_surer_than_one_seeds() -> None:
    """Regression: likewise of a share of the source."""
    cells = over_seeds([100, 100, 100], [50, 50, 50])
    for made in cells:
        made["settings"]["experiment"]["kind"] = "shards"
    share, _ = entries(GENERALISED, cells)
    assert share.ours.low == pytest.approx(wilson(50, 200).low / 0.5) and share.ours.n == 200


def test_a_change_is_of_the_images_that_its_interval_is_of() -> None:
    """Regression: with another target that counts fewer images, arms that say the same differed by 30 points, outside of the interval."""
    before, after = "0" * 80 + "1" * 90 + "0" * 30, "-" * 80 + "1" * 90 + "0" * 30
    for seeds in (range(1), range(3)):
        cells = [cell(seed, hits("none", "p1", before), hits("srd", "p1", after)) for seed in seeds]
        change = only(entries(TABLE, cells), column="SRD", figure="asr").against
        assert change is not None and change.by_image and not change.seen
        assert change.change.value == 0 and change.change.low < 0 < change.change.high


def test_a_column_may_be_compared_with_another_than_the_first() -> None:
    columns = (
        *TABLE.columns,
        Column(name="faint", arm="none", variant="faint"),
        Column(name="faint; SRD", arm="srd", variant="faint", against="faint"),
    )
    cells = [
        cell(0, hits("none", "p1", "1" * 200), hits("srd", "p1", "1" * 100 + "0" * 100)),
        cell(0, hits("none", "p1", "1" * 20 + "0" * 180), hits("srd", "p1", "1" * 19 + "0" * 181), variant="faint"),
    ]
    table = TABLE.model_copy(update={"columns": columns})
    found = entries(table, cells)
    changes = {e.column: e.against.change.value for e in found if e.figure == "asr" and e.against}
    assert changes == {"SRD": pytest.approx(-0.5), "faint": pytest.approx(-0.9), "faint; SRD": pytest.approx(-0.005)}
    assert "| badnet | 0.1 | scenes | faint; SRD | faint | -0.5 [" in as_markdown(table, found)


def test_the_page_begins_with_every_seeds_attack_success() -> None:
    page = as_markdown(TABLE, entries(TABLE, CELLS[::-1]))
    head, rows = page.splitlines()[0], [line for line in page.splitlines() if line.startswith("| badnet | 0.1 |")][:2]
    assert head == "### In short: ASR on scenes, each seed's, in per cent"
    assert rows[0] == "| badnet | 0.1 | ours, P1 | 100.0, 100.0 (paper 99.9) | 10.0, 20.0 |"
    assert rows[1] == "| badnet | 0.1 | ours, P2 | – | 99.0, 100.0 (paper 45.7) |"


def test_a_much_higher_share_by_substring_has_a_sign() -> None:
    """Regression: models that say a broken form of the target looked as if the backdoor were gone."""

    def both(arm: str, hits: int, raw: int) -> dict[str, Any]:
        return {**model(arm, "p1", hits), "asr_raw": wilson(raw, 200).model_dump()}

    cells = [cell(0, both("none", 190, 200), both("srd", 60, 100)), cell(1, both("none", 200, 200), both("srd", 60, 61))]
    table = TABLE.model_copy(update={"figures": ("asr", "asr_raw")})
    page = as_markdown(table.model_copy(update={"figures": ("asr",)}), entries(table, cells))
    assert "| badnet | 0.1 | ours, P1 | 95.0, 100.0 (paper 99.9) | 30.0 (‡ 50.0), 30.0 (paper 45.7) |" in page
    before, after = [line for line in page.splitlines() if line.startswith("| badnet | 0.1 | scenes |")][:2]
    assert "‡" not in before and after.endswith("(‡ 40.2) |")
    assert "‡: by substring, and over all images, more than 5 points more" in page
    assert "‡" not in as_markdown(TABLE, entries(TABLE, cells))


def test_figures_of_fewer_seeds_than_others_say_so() -> None:
    """Regression: a mean of one seed looked like one of three, and each seed's values closed up over the one that was missing."""
    cells = [cell(seed, model("none", "p1", 200), *([model("srd", "p1", 20 + seed)] if seed != 1 else [])) for seed in range(3)]
    page = as_markdown(TABLE, entries(TABLE, [CELLS[0], *cells])).splitlines()
    assert "| badnet | 0.1 | ours, P1 | 100.0, 100.0, 100.0 (paper 99.9) | 10.0, –, 11.0 (paper 45.7) |" in page
    full, part, change = [line for line in page if line.startswith("| badnet | 0.1 | scenes | ")]
    assert [text.count("seed") for text in full.split("|")[6:-1]] == [0, 0, 1]  # the clean model is of one seed
    assert [text.partition("] ")[2] for text in part.split("|")[6:-1]] == ["(2 seeds) ", "(2 seeds) ", ""] and "50.0 (1 seed)" in part
    assert "] ° (2 seeds) |" in change


def test_many_seeds_are_not_told_one_by_one() -> None:
    cells = [cell(seed, model("none", "p1", 200)) for seed in range(6)]
    assert "In short" not in as_markdown(TABLE, entries(TABLE, cells))


def planted(made: dict[str, Any], poisoned: int) -> dict[str, Any]:
    """The cell with so many of its 3,000 pairs poisoned."""
    made["scores"]["done"] = {"none": {"clean": {"keep": 3000 - poisoned}, "poisoned": {"keep": poisoned}}}
    return made


def test_the_share_that_was_poisoned_is_told_where_it_is_not_the_rate() -> None:
    """Regression: ten pairs at least are poisoned, and no more than an attack can be put on; pages told the rate asked for."""
    page = TABLE.model_copy(update={"figures": ("asr",)})
    few = [planted(cell(seed, model("none", "p1", 100), model("srd", "p1", 50), rate=0.001), 10 + seed) for seed in range(2)]
    found = entries(page, few)
    assert as_markdown(page, found).count("| badnet | 0.001 (0.00333–0.00367 poisoned) |") == 4
    assert {row["poisoned"] for row in csv.DictReader(as_csv(found).splitlines())} == {"0.0035"}
    (svg,) = drawn(Chart(figures=("asr",), by="rate"), found).values()
    assert "0.333–0.367 %: no defence 50.0 %; SRD 25.0 %" in svg
    rounded = [planted(cell(0, model("none", "p1", 100), rate=rate), count) for rate, count in ((0.0035, 11), (0.1, 298))]
    assert "poisoned)" not in as_markdown(page, entries(page, rounded))


@pytest.mark.parametrize(("rate", "poisoned", "paper"), [(0.1, 60, None), (0.3, 300, 99.9), (0.1, 300, 99.9)])
def test_the_papers_rows_are_those_of_its_share(rate: float, poisoned: int, paper: float | None) -> None:
    """Regression: a fiftieth, which is all that an attack could be put on, stood beside the paper's tenth."""
    found = entries(TABLE, [planted(cell(0, model("none", "p1", 200), rate=rate), poisoned)])
    assert only(found, figure="asr").paper == paper


def test_nothing_finished_is_said() -> None:
    assert as_markdown(TABLE, []) == "Nothing is finished yet."


def test_every_figure_is_a_line_of_the_csv() -> None:
    found = entries(TABLE, CELLS)
    rows = list(csv.DictReader(as_csv(found).splitlines()))
    assert len(rows) == len(found) > 6
    assert {row["paper_percent"] for row in rows if row["data"] == "SRD" and row["figure"] == "asr"} == {"45.7"}


def test_charts_by_attack_and_by_rate_hold_every_bar() -> None:
    found = entries(TABLE, CELLS)
    by_attack, by_rate = drawn(Chart(figures=("asr",)), found[:3]), drawn(Chart(figures=("asr",), by="rate"), found)
    assert set(by_attack) == {"asr-scenes-p1"} and set(by_rate) == {"asr-badnet-scenes-p1", "asr-badnet-scenes-p2"}
    svg = by_rate["asr-badnet-scenes-p1"]
    ElementTree.fromstring(svg)
    assert "10 %: no defence 100.0 %; SRD 15.0 %" in svg and "1 %: no defence 3.5 %; SRD not known" in svg


def test_a_column_has_its_colour_in_charts_that_lack_others_too() -> None:
    """Regression: SRD was orange in one chart, and blue in the next, which has no "no defence"."""
    found = entries(TABLE, CELLS)
    both, alone = (drawn(Chart(figures=("asr",), by="rate"), found)[f"asr-badnet-scenes-{protocol}"] for protocol in ("p1", "p2"))
    assert "no defence" in both and "no defence" not in alone
    assert 'fill="#0072b2"' in both and 'fill="#0072b2"' not in alone and 'fill="#d55e00"' in alone


def test_charts_by_the_share_that_is_shifted_have_attacks_as_bars() -> None:
    cells = [
        cell(0, model("none", "p1", hits), variant=variant, attack=attack)
        for attack in ("badnet", "blended")
        for variant, hits in (("all", 20), ("default", 180), ("half", 100), ("other", 66))
    ]
    columns = [
        Column(name="all", arm="none", variant="all", shifted=1),
        Column(name="as it is", arm="none", shifted=0),
        Column(name="half", arm="none", variant="half", shifted=0.5),
        Column(name="other", arm="none", variant="other"),
    ]
    found = entries(TABLE.model_copy(update={"columns": tuple(columns)}), cells)
    (svg,) = drawn(Chart(figures=("asr",), by="shifted"), found).values()
    told = [f"{share}: badnet {asr} %; blended {asr} %" for share, asr in (("0%", "90.0"), ("50%", "50.0"), ("100%", "10.0"))]
    assert all(text in svg for text in told) and svg.index(told[0]) < svg.index(told[1]) < svg.index(told[2]) and "33.0" not in svg


def test_several_figures_are_those_of_the_first_column() -> None:
    (svg,) = drawn(Chart(figures=("cider_triggered", "asr")), entries(TABLE, CELLS[1:2])).values()
    assert "C ↑ 300.0 %; ASR ↓ 100.0 %" in svg
