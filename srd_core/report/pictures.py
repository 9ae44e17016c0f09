"""The parts of the page with images in them: gallery cards, mask heat maps, Q-maps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from srd_core.analysis.grids import count_map, value_map
from srd_core.data.decisions import CONDEMNED
from srd_core.policy.masks import Mask
from srd_core.report.data import GalleryItem, MaskCounts, QMap, ReportData
from srd_core.report.images import ImageBudget
from srd_core.report.names import channel, reason
from srd_core.report.text import NAME, visible

TOLD, OWN = "told", "own"
"""Why a word of a caption is marked: the verdict names it, or it speaks most against the pair itself."""


@dataclass(frozen=True)
class Score:
    """What one channel says of a pair, and its limit, where there is one."""

    name: str
    value: str
    limit: str
    over: bool


@dataclass(frozen=True)
class Card:
    """One gallery item. Captions are runs of (text, why it is marked or nothing); `new_caption` is empty where it did not change."""

    pair: str
    action: str
    reason: str
    before: str
    after: str | None
    caption: list[tuple[str, str]]
    new_caption: str
    scores: list[Score]
    told: bool


@dataclass(frozen=True)
class CardGroup:
    """Cards under one heading; without one where all cards are of one kind."""

    title: str
    lead: str
    cards: list[Card]


@dataclass(frozen=True)
class Panel:
    """A grid and the line below it."""

    figure: Markup
    caption: str


@dataclass(frozen=True)
class MapRow:
    """One image with its Q-maps."""

    pair: str
    image: str
    chosen: str
    panels: list[Panel]


def cards(data: ReportData, budget: ImageBudget) -> list[Card]:
    """A card a pair of the gallery, fewer when the images would weigh too much."""
    made: list[Card] = []
    limits = data.calibration.thresholds if data.calibration and data.handed_back == "evidence" else {}
    for item in data.gallery:
        before = budget.uri(item.before)
        after = budget.uri(item.after) if item.after is not None and not np.array_equal(item.after, item.before) else None
        if before is None or (after is None and item.after is not None and not np.array_equal(item.after, item.before)):
            break
        made.append(_card(item, before, after, limits))
    return made


def groups(data: ReportData, shown: Sequence[Card]) -> list[CardGroup]:
    """The cards with the verdict's word first, then the others that were flagged; in one group where none has it, or masks are shown."""
    told = [card for card in shown if card.told and card.action in CONDEMNED]
    others = [card for card in shown if not card.told and card.action in CONDEMNED]
    rest = [card for card in shown if card.action not in CONDEMNED]
    if not told:
        return [CardGroup("", "", list(shown))] if shown else []
    figures = data.verdict.figures
    lead = "these images share a picture, a trigger" if figures.by_pictures else "these captions do not fit their images"
    found = [
        CardGroup(f"Captions that hold “{visible(figures.behind or '', NAME)}”", f"If the verdict is right, {lead}.", told),
        CardGroup("Flagged for other reasons", "False positives are most likely here: captions that do fit their images.", others),
        CardGroup("Other pairs", "", rest),
    ]
    return [group for group in found if group.cards]


def heat(masks: MaskCounts) -> list[Panel]:
    """Counts by place, one panel a mask size, on one scale."""
    counts = np.asarray(masks.counts, dtype=np.float64)
    most = float(counts.max(initial=0.0))
    panels = []
    for size, grid in zip(masks.sizes, counts, strict=True):
        total = int(grid.sum())
        named = f"Masks of side {size:.2f}: {total} placed"
        if total:
            row, column = np.unravel_index(int(grid.argmax()), grid.shape)
            named += f", most often in row {int(row) + 1}, column {int(column) + 1} of {len(grid)}"
        panels.append(Panel(Markup(count_map(grid, most, named)), f"side {size:.2f} · {total:,} masks"))
    return panels


def q_maps(data: ReportData, budget: ImageBudget) -> list[MapRow]:
    """The images, each with one panel a mask size; fewer when they would weigh too much."""
    made: list[MapRow] = []
    for item in data.q_maps:
        image = budget.uri(item.image)
        if image is None:
            break
        made.append(_map_row(item, image))
    return made


def _card(item: GalleryItem, before: str, after: str | None, limits: Mapping[str, float]) -> Card:
    changed = item.caption_after if item.caption_after != item.caption_before else ""
    return Card(
        pair=visible(item.pair, NAME),
        action=item.action if item.action in {"keep", "mask", "recaption", "quarantine", "reject"} else "keep",
        reason=reason(item.reason),
        before=before,
        after=after,
        caption=_marked(visible(item.caption_before), {visible(item.word, NAME): OWN, visible(item.told, NAME): TOLD}),
        new_caption=visible(changed),
        scores=[_score(name, value, limits.get(name)) for name, value in list(item.scores.items())[:8]],
        told=bool(item.told),
    )


def _score(name: str, value: float, limit: float | None) -> Score:
    over = limit is not None and value > limit
    return Score(channel(name), f"{value:.3g}", "" if limit is None else f"{limit:.3g}", over)


def _marked(caption: str, words: Mapping[str, str]) -> list[tuple[str, str]]:
    """The caption in parts, each with why it is marked, or nothing. `words` have a reason each; empty ones are none."""
    known = {word.lower(): why for word, why in words.items() if word}
    if not known:
        return [(caption, "")]
    either = "|".join(re.escape(word).replace("'", "['\u2019]") for word in sorted(known, key=len, reverse=True))
    parts = re.split(rf"((?<![^\W_])(?:{either})(?![^\W_]))", caption, flags=re.IGNORECASE)
    return [(part, known.get(part.lower().replace("\u2019", "'"), OWN) if i % 2 else "") for i, part in enumerate(parts) if part]


def _map_row(item: QMap, image: str) -> MapRow:
    values = np.asarray(item.values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max(initial=0.0))
    panels = []
    for number, (size, grid) in enumerate(zip(item.sizes, values, strict=True)):
        chosen = _cell_of(item.chosen, grid.shape) if item.chosen is not None and _size_of(item.chosen, item.sizes) == number else None
        best = float(np.nanmax(grid)) if np.isfinite(grid).any() else 0.0
        named = f"Expected gain of a mask of side {size:.2f} at each place, at best {best:+.2f}"
        panels.append(Panel(Markup(value_map(grid, largest, named, chosen)), f"side {size:.2f} · best {best:+.2f}"))
    chosen_text = f"mask of side {item.chosen.size:.2f}" if item.chosen is not None else "no mask"
    return MapRow(visible(item.pair, NAME), image, chosen_text, panels)


def _size_of(mask: Mask, sizes: tuple[float, ...]) -> int:
    return min(range(len(sizes)), key=lambda number: abs(sizes[number] - mask.size))


def _cell_of(mask: Mask, shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = shape
    return min(int(mask.y * rows), rows - 1), min(int(mask.x * columns), columns - 1)
