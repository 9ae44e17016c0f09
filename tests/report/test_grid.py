"""Tables over an experiment grid: what three seeds say together."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest

from srd_core.report.grid import markdown
from srd_core.report.grid_detection import detection_csv
from srd_core.scoring.detection import detection_scores
from srd_core.scoring.intervals import wilson

PLAIN = {"bleu_4": 0.5}


def cell(seed: int, asr: float, cider: float) -> dict[str, Any]:
    share = wilson(round(asr * 200), 200).model_dump()
    figures = {name: {"value": cider, "low": cider - 0.1, "high": cider + 0.1, "n": 200} for name in ("cider", "sc", "lf", "sfs")}
    row = {"arm": "srd", "protocol": "p1", "domain": "scenes", "n": 200, "asr": share, "asr_raw": share, "false_trigger": share}
    return {
        "cell": f"badnet-0.1-default-{seed}",
        "settings": {"experiment": {"attack": "badnet", "rate": 0.1, "seed": seed}, "variant": "default"},
        "seconds": 60,
        "scores": {"models": [{**row, **figures, **PLAIN}], "detection": {}, "policy": {}},
    }


def figures(*seeds: tuple[float, float]) -> dict[str, str]:
    """Column → text of the one row that cells with these (asr, cider) make."""
    page = markdown("Results", "srd bench x", [cell(number, *values) for number, values in enumerate(seeds)])
    head, row = (line for line in page.splitlines() if line.startswith(("| attack | rate | variant | arm |", "| badnet")))
    return dict(zip(*([part.strip() for part in line.strip("|").split("|")] for line in (head, row)), strict=True))


def bounds(text: str) -> tuple[float, float]:
    low, high = text.partition("[")[2].rstrip("]").split(",")
    return float(low), float(high)


def test_one_seed_keeps_its_own_interval() -> None:
    assert figures((0.5, 3.0))["cider"] == "3.000 [2.900, 3.100]"


def test_seeds_that_agree_are_as_sure_as_all_their_images_and_no_surer() -> None:
    together = wilson(0, 600)
    low, high = bounds(figures((0.0, 3.0), (0.0, 3.0), (0.0, 3.0))["asr"])
    assert low == 0 and high == pytest.approx(100 * together.high, abs=0.05) and high > 0


def test_seeds_that_differ_wildly_stay_within_what_a_share_can_be() -> None:
    text = figures((0.0, 3.0), (1.0, 3.0), (0.05, 3.0))["asr"]
    assert text.startswith("35.0 %") and bounds(text) == (0.0, 100.0)


def test_images_with_the_trigger_are_counted_apart_and_seed_by_seed() -> None:
    """As with Shadowcast, which is tested on the images of its concept."""
    cells = [cell(seed, 0.5, 3.0) for seed in range(3)]
    assert "| scenes | 200 | 200 |" in markdown("Results", "srd bench x", cells)
    for made, count in zip(cells, (45, 48, 40), strict=True):
        made["scores"]["models"][0]["asr_raw"] = wilson(20, count).model_dump()
    assert "| scenes | 200 | 45, 48, 40 |" in markdown("Results", "srd bench x", cells)
    del cells[0]["scores"]["models"][0]["asr_raw"]
    assert "| scenes | 200 | – |" in markdown("Results", "srd bench x", cells[:1])


def test_figures_of_fewer_seeds_than_others_say_so() -> None:
    """Regression: a row of two seeds of three looked like all others."""
    cells = [cell(seed, 0.5, 3.0) for seed in (0, 1, 2, 0, 2)]
    for made in cells[3:]:
        made["settings"] = {**made["settings"], "variant": "other"}
    for made in cells:
        made["scores"]["distance"] = 0.1
    del cells[0]["scores"]["models"][0]["sfs"]
    page = markdown("Results", "srd bench x", cells)
    assert "| default | srd | p1 | scenes | 200 | 200 |" in page and "| other | srd | p1 | scenes | 200, –, 200 | 200, –, 200 |" in page
    assert page.count(" (2 seeds) |") == 2 and "| badnet | 10.0% | other | 0.100 [0.100, 0.100] (2 seeds) |" in page


def test_what_was_done_is_added_up_over_seeds() -> None:
    cells = [cell(seed, 0.5, 3.0) for seed in range(3)]
    for made in cells[:2]:
        made["scores"]["done"] = {"evidence": {"clean": {"keep": 90, "recaption": 1}, "poisoned": {"recaption": 10}}}
    page = markdown("Results", "srd bench x", cells)
    assert "| badnet | 10.0% | default | evidence | clean | 182 | 180 | 0 | 2 | 0 | 0 |" in page
    assert "| badnet | 10.0% | default | evidence | poisoned | 20 | 0 | 0 | 20 | 0 | 0 |" in page
    assert "What was done" not in markdown("Results", "srd bench x", cells[2:])


def test_arms_that_could_look_for_nothing_are_named() -> None:
    """Regression: a screen that was silent looked as if it had found nothing."""
    cells = [cell(seed, 0.5, 3.0) for seed in range(3)]
    assert "could look for nothing" not in markdown("Results", "srd bench x", cells)
    for made in cells[1:]:
        made["scores"]["silent"] = {"rare": "too few words"}
    assert "| badnet | 10.0% | default | rare | 1, 2 | too few words |" in markdown("Results", "srd bench x", cells)


def detected(auroc: float) -> dict[str, Any]:
    names = ("recall", "precision", "kept_clean", "recall_at_half_percent", "recall_at_one_percent")
    return {"auroc": auroc, "average_precision": 0.75, "f1": 0.8, **{name: wilson(9, 10).model_dump() for name in names}}


def test_detection_is_told_apart_by_variant_and_counts_its_seeds() -> None:
    cells = [cell(seed, 0.5, 3.0) for seed in range(2)] + [cell(0, 0.5, 3.0)]
    cells[2]["settings"] = {**cells[2]["settings"], "variant": "painting"}
    for made, auroc in zip(cells, (0.9, 0.7, 0.2), strict=True):
        made["scores"]["detection"] = {"evidence/nll_mean": detected(auroc)}
    page = markdown("Results", "srd bench x", cells)
    assert "| badnet | 10.0% | default | evidence/nll_mean | 2 | 0.800 [0.000, 1.000] | 0.750 [" in page
    shares = "90.0 % [59.6, 98.2]"
    for told, figures in (("evidence/nll_mean", ["0.200", "0.750", shares, shares]), ("evidence", [shares, shares, "0.800", shares])):
        (line,) = [line for line in page.splitlines() if line.startswith(f"| badnet | 10.0% | painting | {told} | 1 |")]
        assert [part.strip() for part in line.split("|")[6:-1]] == figures
    rows = list(csv.DictReader(detection_csv(cells).splitlines()))
    assert len(rows) == 2 * 8
    (found,) = [row for row in rows if (row["variant"], row["figure"]) == ("default", "recall_at_one_percent")]
    assert (found["score"], float(found["value"]), found["seeds"]) == ("evidence/nll_mean", 0.9, "2")


def test_detectors_that_agree_over_seeds_are_not_certain() -> None:
    """Regression: of 30 poisoned pairs, all found three times, F1 and both areas were "1.000 [1.000, 1.000]"."""
    truth = np.arange(3000) < 30
    found = detection_scores(truth.astype(float), truth, truth).model_dump(mode="json")
    cells = [cell(seed, 0.5, 3.0) for seed in range(3)]
    for made in cells:
        made["scores"]["detection"] = {"abl": found}
    bounds = {row["figure"]: row for row in csv.DictReader(detection_csv(cells).splitlines())}
    for name in ("auroc", "average_precision", "f1"):
        low, high = float(bounds[name]["low"]), float(bounds[name]["high"])
        assert found[name]["low"] < low < 1 == high, name


def test_seeds_on_the_same_images_are_no_surer_than_one() -> None:
    """Regression: shards are the same with every seed, and 0 of 200 thrice was an interval of 600 images."""
    truth = np.arange(3000) < 30
    found = detection_scores(truth.astype(float), truth, truth).model_dump(mode="json")
    cells = [cell(seed, 0.0, 3.0) for seed in range(3)]
    for made in cells:
        made["settings"]["experiment"]["kind"] = "shards"
        made["scores"]["detection"] = {"abl": found}
    page = markdown("Results", "srd bench x", cells)
    assert "| 0.0 % [0.0, 1.9] | 0.0 % [0.0, 1.9] |" in page and "never narrower than that of one seed's images" in page
    (bounds,) = [row for row in csv.DictReader(detection_csv(cells).splitlines()) if row["figure"] == "auroc"]
    assert float(bounds["low"]) == pytest.approx(found["auroc"]["low"])


def test_decisions_are_told_once_however_many_scores_they_rest_on() -> None:
    """Regression: a score that separates nothing had the precision of all of them together beside it."""
    made = cell(0, 0.5, 3.0)
    names = ("evidence/nll_max", "evidence/q_gain", "evidence/q_gain by image", "abl")
    made["scores"]["detection"] = {name: detected(0.5) for name in names}
    lines = markdown("Results", "srd bench x", [made]).splitlines()
    decided, scored = (lines.index(title) for title in ("As decided:", "By each score alone:"))
    arms = [line.split("|")[4].strip() for line in lines[decided:scored] if line.startswith("| badnet")]
    assert arms == ["abl", "evidence", "evidence by image"]


def test_a_policy_that_cells_share_is_told_once() -> None:
    cells = [cell(0, 0.5, 3.0) for _ in range(2)]
    for made, attack in zip(cells, ("badnet", "blended"), strict=True):
        made["settings"]["experiment"]["attack"] = attack
        against = {"policy": 1.5, "control": 0.0, "difference": 1.5, "low": 1.4, "high": 1.6}
        made["scores"]["policy"] = {"reward_calls": 9, **{key: {"against_random": against} for key in ("held_out", "attack")}}
    page = markdown("Results", "srd bench x", cells)
    assert page.count("| any | any | default | 0 | 9 | held-out synthetic |") == page.count("held-out synthetic") == 1
    assert page.count("test images with the attack") == 2


def test_what_a_detector_does_not_know_is_left_out() -> None:
    made = cell(0, 0.5, 3.0)
    made["scores"]["detection"] = {"abl": {**detected(0.5), "auroc": None}}
    assert "| abl | 1 | – | 0.750 |" in markdown("Results", "srd bench x", [made])
    assert "auroc" not in detection_csv([made])


def test_masks_on_triggers_stand_beside_random_ones() -> None:
    cells = [cell(seed, 0.5, 3.0) for seed in range(2)]
    for made, hidden in zip(cells, (0.9, 0.7), strict=True):
        mean = {"value": hidden, "low": hidden, "high": hidden, "n": 300}
        shares = {"coverage_in_data": {"srd": wilson(290, 300).model_dump()}, "hidden_in_data": {"srd": mean}, "iou_in_data": {"srd": mean}}
        made["scores"]["policy"] = shares
    cells[0]["scores"]["policy"]["coverage_in_data"]["random"] = wilson(3, 300).model_dump()  # as earlier cells have it
    page = markdown("Results", "srd bench x", cells)
    (line,) = [line for line in page.splitlines() if line.startswith("| badnet | 10.0% | default | srd | 2 |")]
    assert [part.strip().split(" [")[0] for part in line.split("|")[6:-1]] == ["96.7 %", "0.800", "0.800"]
    assert line.count("1.000]") == 2  # not beyond all of a trigger
    assert "| badnet | 10.0% | default | random | 1 | 1.0 % [0.3, 2.9] | – | – |" in page


def rates(page: str, heading: str) -> list[str]:
    """Of the rows below a heading that begins so, in their order."""
    section = page.partition(f"## {heading}")[2].partition("\n## ")[0]
    return [line.split("|")[2].strip() for line in section.splitlines() if line.startswith("| badnet")]


def test_rows_of_one_cell_say_its_rate_and_rates_stand_in_the_order_of_numbers() -> None:
    cells = [cell(0, 0.5, 3.0) for _ in range(3)]
    for made, rate in zip(cells, (0.1, 0.05, 0.01), strict=True):
        made["settings"]["experiment"]["rate"] = rate
        made["scores"]["attention"] = {"boxed": True, "area": 0.009, "backdoored": wilson(1, 100).model_dump()}
        made["scores"]["detection"] = {"evidence/nll_mean": detected(0.9)}
        made["scores"]["distance"] = rate
    page = markdown("Results", "srd bench x", cells)
    assert rates(page, "Attention on the trigger") == ["10.0%", "5.0%", "1.0%"]  # a row a cell, as they came
    for heading, tables in (("Retrained models", 1), ("Detection", 2), ("Distance", 1)):
        assert rates(page, heading) == tables * ["1.0%", "5.0%", "10.0%"]


def test_rates_that_differ_are_told_apart() -> None:
    """Regression: compared as printed, 0.05 and 0.1 % were seeds of one rate, and 0.25 % was "0.2%"."""
    cells = [cell(0, 0.5, 3.0) for _ in range(4)]
    for made, rate in zip(cells, (0.0025, 0.0005, 0.001, 0.07), strict=True):
        made["settings"]["experiment"]["rate"] = rate
    assert rates(markdown("Results", "srd bench x", cells), "Retrained models") == ["0.05%", "0.1%", "0.25%", "7.0%"]


def test_the_share_that_was_poisoned_is_told_where_it_is_not_the_rate() -> None:
    """Regression: of few pairs ten are poisoned whatever the rate, and tables told the rate."""
    cells = [cell(seed, 0.5, 3.0) for seed in range(2)]
    for made in cells:
        made["settings"]["experiment"]["rate"] = 0.001
        made["scores"] |= {"done": {"none": {"clean": {"keep": 2990}, "poisoned": {"keep": 10}}}, "distance": 0.1}
    page = markdown("Results", "srd bench x", cells)
    assert {rate for heading in ("Retrained", "What was done", "Distance") for rate in rates(page, heading)} == {"0.1% (0.333% poisoned)"}


def test_attacks_that_plant_nothing_are_not_averaged() -> None:
    """Regression: their test images have different triggers, and attackers who train hand on models of their own."""
    cells = [cell(0, asr, 3.0) for asr in (0.0, 1.0)]
    for made, attack in zip(cells, ("badnet", "vlood"), strict=True):
        made["settings"]["experiment"] |= {"attack": attack, "rate": 0.0}
    lines = [line for line in markdown("Results", "srd bench x", cells).splitlines() if line.startswith("| nothing planted")]
    assert [line.split("|")[1].strip() for line in lines] == ["nothing planted (badnet)", "nothing planted (vlood)"]
    assert "| 0.0 % [" in lines[0] and "| 100.0 % [" in lines[1]
    assert "| nothing planted | 0.0% |" in markdown("Results", "srd bench x", cells[:1])


def test_cells_of_different_code_are_told_as_such() -> None:
    cells = [cell(seed, 0.5, 3.0) for seed in range(2)]
    for made in cells:
        made["origin"] = {"code": "ab" * 32, "processor": "some", "arithmetic": "float32"}
    assert "Cells by code abababababab on some, float32 (2 cells). " in markdown("Results", "srd bench x", cells)
    cells[1]["origin"] = {**cells[1]["origin"], "code": "cd" * 32}
    assert "**Cells come from different code or processors**" in markdown("Results", "srd bench x", cells)


def test_distances_are_means_over_seeds() -> None:
    cells = [cell(seed, 0.5, 3.0) for seed in range(2)]
    for made, far in zip(cells, (0.1, 0.3), strict=True):
        made["scores"]["distance"] = far
    assert "| badnet | 10.0% | default | 0.200 [" in markdown("Results", "srd bench x", cells)
    assert "Distance of the suspect set" not in markdown("Results", "srd bench x", [cell(0, 0.5, 3.0)])


def test_other_figures_have_the_interval_of_student() -> None:
    assert figures((0.0, 2.0), (0.0, 3.0), (0.0, 4.0))["cider"] == "3.000 [0.516, 5.484]"


def test_intervals_end_where_figures_do() -> None:
    row = figures((0.0, 0.1), (0.0, 0.5), (0.0, 0.9))
    assert row["cider"] == "0.500 [0.000, 1.494]"
    assert {row[name] for name in ("sc", "lf", "sfs")} == {"0.500 [0.000, 1.000]"}
