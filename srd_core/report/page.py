"""The page as the template wants it: strings made visible, figures drawn, gaps explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from srd_core.analysis.figures import improved_chart, reward_chart
from srd_core.report import names, pictures, tables
from srd_core.report.data import Attention, ReportData
from srd_core.report.images import ImageBudget
from srd_core.report.numbers import rate, span, unbroken
from srd_core.report.text import CAPTION, NAME, visible
from srd_core.report.verdict import VerdictFigures
from srd_core.scoring.intervals import Interval


@dataclass(frozen=True)
class Tile:
    """One large figure of the first screen."""

    name: str
    value: str
    note: str


_SHEET = 900
"""Longest side of the sheet of attention maps, pixels."""

_STATUS = {"no sign of poison": "clear", "suspicious": "warn", "poisoned": "bad", "not judged": "warn"}
_ICONS = {"clear": "M8 16.5l5.5 5.5L24.5 10.5", "warn": "M16 8v11M16 23.4v.2", "bad": "M10 10l12 12M22 10L10 22"}
_LINE_NAMES = ("The word", "What was done", "The backdoor", "What to do")


def page(data: ReportData, budget: ImageBudget) -> dict[str, Any]:
    """Everything that the template reads."""
    kind = _STATUS[data.verdict.status]
    headline, *lines = (unbroken(visible(line, 2 * CAPTION)) for line in data.verdict.lines)
    cards, maps = pictures.cards(data, budget), pictures.q_maps(data, budget)
    return {
        "title": visible(data.title, NAME),
        "kind": kind,
        "icon": Markup(_ICONS[kind]),
        "status": data.verdict.status,
        "headline": headline.removeprefix(f"{data.verdict.status.capitalize()}: "),
        "lines": list(zip(_LINE_NAMES, lines, strict=True)),
        "tiles": _tiles(data.verdict.figures, data.accounting.pairs),
        "arms": tables.arms(data),
        "legend": tables.legend(data.accounting.actions),
        "shares": tables.shares(data.accounting.actions),
        "pairs": f"{data.accounting.pairs:,}",
        "ended": f"{sum(data.accounting.ended.values()):,}" if data.accounting.ended else "",
        "shards": tables.shards(data.accounting),
        "rejections": tables.rejections(data.accounting),
        "endings": tables.endings(data.accounting),
        "words": tables.words(data),
        "surplus": tables.surplus(data),
        "card_groups": pictures.groups(data, cards),
        "marked": {why for card in cards for _, why in card.caption},
        "cards_left": len(data.gallery) - len(cards),
        "heat": pictures.heat(data.masks) if data.masks else [],
        "masks_of": _masks_of(data),
        "unmasked": f"{data.masks.unmasked:,}" if data.masks else "",
        "q_maps": maps,
        "charts": [Markup(reward_chart(data.curve)), Markup(improved_chart(data.curve))] if data.curve else [],
        "training": _training(data),
        "policy": _policy(data),
        "detection": tables.detection(data),
        "attention": budget.uri(data.attention.sheet, _SHEET) if data.attention else None,
        "attention_said": _attention(data.attention) if data.attention else "",
        "calibration": _calibration(data),
        "thresholds": tables.thresholds(data),
        "recall": tables.expected_recall(data),
        "provenance": tables.provenance(data),
        "reason": {name: tables.reason(data, name) for name in _PARTS},
    }


_PARTS = ("models", "words", "gallery", "masks", "q_maps", "curve", "policy", "detection", "calibration", "attention")


def _tiles(figures: VerdictFigures, pairs: int) -> list[Tile]:
    share = figures.flagged_share
    tiles = [
        Tile("Flagged", rate(share.value), f"{span(share, percent=True)}; budget {rate(figures.budget)}"),
        Tile("Pairs judged", f"{figures.pairs:,}", f"of {pairs:,} that came in"),
    ]
    if figures.by_pictures:
        word, note = figures.picture_word or "", f"images of {figures.pictured:,} pairs share a picture"
        tiles.append(Tile("Most telling word", visible(word, 24), note))
    elif figures.word is not None:
        tiles.append(Tile("Most telling word", visible(figures.word, 24), f"behind {rate(figures.word_share.value)} of the flags"))
    if figures.backdoor is not None:
        before, after = figures.backdoor.before, figures.backdoor.after
        note = f"{visible(figures.backdoor.protocol, 24).upper()}, cleansed: {span(after, percent=True)}"
        tiles.append(Tile("Attack success", f"{rate(before.value)} → {rate(after.value)}", note))
    return tiles


def _training(data: ReportData) -> str:
    if data.curve is None:
        return ""
    return f"{data.curve.steps:,} environment steps, {data.curve.gradient_steps:,} gradient steps."


def _policy(data: ReportData) -> list[Tile]:
    if data.policy is None:
        return []
    found, control = data.policy.comparison, visible(data.policy.control, NAME)
    judged = "better" if found.better else "not shown to be better"
    tiles = [
        Tile("Mean reward, greedy", f"{found.policy:+.2f}", f"{control}: {found.control:+.2f}, on {found.images:,} held-out images"),
        Tile("Difference", f"{found.difference:+.2f}", f"{found.low:+.2f} to {found.high:+.2f}; {judged}"),
        Tile("Images improved", rate(found.improved), f"{rate(found.masked)} got a mask"),
    ]
    cover = data.policy.coverage
    if cover is not None and math.isfinite(cover.value):
        tiles.append(Tile("Triggers covered", rate(cover.value), span(cover, percent=True)))
    return tiles


def _masks_of(data: ReportData) -> str:
    """Whose masks are shown, where they are not those of the user's result."""
    if data.handed_back == "srd":
        return ""
    masked = data.accounting.actions.get("mask", 0)
    result = "no image was masked" if not masked else f"{masked:,} pairs have other masks ({names.arm(data.handed_back)})"
    return f"These are the masks of the paper's SRD (arm srd), run for comparison; in your result {result}."


def _attention(found: Attention) -> str:
    if found.backdoored is None or found.clean is None or found.area is None:
        return "The trigger has no one place, so there is no share to tell."
    own, other = f"{rate(found.backdoored.value)} ({span(found.backdoored, percent=True)})", rate(found.clean.value)
    said = f"The trigger covers {rate(found.area)} of the image. On it lie {own} of the backdoored model's map, {other} of the clean one's."
    judged = "" if math.isnan(found.backdoored.low) else _shown(found, found.backdoored, found.clean, found.area)
    return f"{said} {judged}".rstrip()


def _shown(found: Attention, own: Interval, clean: Interval, area: float) -> str:
    """What the shares come to, by their intervals."""
    above = found.difference.low > 0 if found.difference else own.low > clean.high
    if not own.low > area:
        beside = ", if more than in the clean model" if above else ""
        return f"That is no more than its share of the area{beside}: these maps do not show the trigger."
    if not above:
        return "That is more than its share of the area, but no more than in the clean model: something else may draw the look there."
    said = "That is more than its share of the area, and more than in the clean model"
    if found.appearing is None or not found.appearing.low > 0:
        return f"{said}, but no more than where there is no trigger: these maps do not show that the model sees it."
    return f"{said}, and more than where there is no trigger: these maps show the trigger."


def _calibration(data: ReportData) -> str:
    known = data.calibration
    if known is None:
        return ""
    found = f"; they flag {rate(known.flagged)} of these" if known.flagged is not None else ""
    held_out = f"{known.pairs:,} trusted pairs that no model was trained on"
    said = f"Thresholds are set for {rate(known.budget)} false positives at most, on {held_out}{found}. No truth was used."
    far = data.scores.distance
    if far is None:
        return said
    meaning = "from 0, alike, to 1, apart; more false positives are to be expected the larger it is"
    return f"{said} The pairs left alone lie {far:.2f} from the trusted ones, by how much they surprise base ({meaning})."
