"""The page is safe to open, complete, and says what was not measured."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from srd_core.report.data import Accounting, Attention, GalleryItem, Provenance, ReportData, ShardAccount
from srd_core.report.html import LIMIT, render
from srd_core.report.images import SIDE, ImageBudget, png
from srd_core.report.verdict import Findings, WordEvidence, decide
from srd_core.scoring.frequency import FrequentWord
from srd_core.scoring.scores import Scores
from srd_core.seeds import generator

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><style>*{display:none}</style>\x1b[2J\u202e{{ 7*7 }}"


class Tags(HTMLParser):
    """Start tags with their attributes, and whether tags nest."""

    VOID = frozenset({"meta", "img", "br", "path", "circle", "rect", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def parsed(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    assert not tags.open
    return tags


@pytest.fixture(scope="module")
def hostile(full: ReportData) -> ReportData:
    """Every string that can come from the data is an attack."""
    item = replace(
        full.gallery[0], pair=ATTACK, caption_before=ATTACK, caption_after=ATTACK * 2, reason=ATTACK, word=ATTACK, scores={ATTACK: 1.0}
    )
    words = (WordEvidence(word=ATTACK, flagged=9, pairs=9),)
    account = Accounting((ShardAccount(ATTACK, {"keep": 90, "recaption": 9, "reject": 1}),), {ATTACK: 1}, {ATTACK: 1})
    verdict = decide(Findings(pairs=99, flagged=9, budget=0.005, words=words), actions=account.actions)
    return replace(
        full,
        title=ATTACK,
        verdict=verdict,
        accounting=account,
        words=words,
        surplus=(FrequentWord(ATTACK, 9, 0.09, 0, 0.0),),
        gallery=(item,),
        q_maps=(replace(full.q_maps[0], pair=ATTACK),),
        provenance=Provenance({ATTACK: ATTACK}, ATTACK, {ATTACK: ATTACK}),
        scores=Scores(
            models=tuple(m.model_copy(update={"domain": ATTACK, "arm": ATTACK, "sfs": None}) for m in full.scores.models),
            detection={ATTACK: full.scores.detection["evidence/pair"]},
        ),
        reasons={"sfs": ATTACK},
    )


def test_nothing_of_an_attack_becomes_markup(hostile: ReportData) -> None:
    tags = parsed(render(hostile))
    assert not [tag for tag, _ in tags.seen if tag in {"script", "iframe", "object", "embed", "link", "base", "form"}]
    assert not [name for _, attributes in tags.seen for name in attributes if name.startswith("on")]
    assert len([tag for tag, _ in tags.seen if tag == "style"]) == 1


def test_an_attack_is_still_shown_as_text(hostile: ReportData) -> None:
    page = render(hostile).decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "{{ 7*7 }}" in page


def test_no_control_or_override_reaches_the_page(hostile: ReportData) -> None:
    page = render(hostile).decode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", page)
    assert "⟨U+001B⟩[2J⟨U+202E⟩" in page


def test_a_lone_surrogate_does_not_stop_the_report(full: ReportData) -> None:
    item = replace(full.gallery[0], caption_before="a \ud800 banana", pair="\udfff")
    assert "⟨U+D800⟩" in render(replace(full, gallery=(item,))).decode()


@pytest.mark.parametrize("which", ["full", "bare", "hostile"])
def test_nothing_is_loaded_from_outside(which: str, request: pytest.FixtureRequest) -> None:
    page = render(request.getfixturevalue(which))
    addresses = [
        value
        for _, attributes in parsed(page).seen
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "action"}
    ]
    assert all(address is not None and address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert b"url(" not in page and b"@import" not in page


def test_the_policy_comes_before_everything_that_it_governs(full: ReportData) -> None:
    tags = [(tag, attributes) for tag, attributes in parsed(render(full)).seen]
    policy = next(i for i, (_, attributes) in enumerate(tags) if attributes.get("http-equiv") == "Content-Security-Policy")
    assert (tags[policy][1]["content"] or "").startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert policy < min(i for i, (tag, _) in enumerate(tags) if tag in {"style", "img", "svg"})


def test_every_link_leads_somewhere(full: ReportData) -> None:
    tags = parsed(render(full)).seen
    places = {attributes.get("id") for _, attributes in tags}
    links = [(attributes["href"] or "")[1:] for tag, attributes in tags if tag == "a"]
    assert links and set(links) <= places


def test_every_image_and_figure_has_words(full: ReportData) -> None:
    tags = parsed(render(full)).seen
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    assert all(attributes.get("aria-label") or attributes.get("aria-hidden") == "true" for tag, attributes in tags if tag == "svg")
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags) > 5


def test_the_verdict_is_said_first(full: ReportData) -> None:
    page = render(full).decode().replace("\N{NO-BREAK SPACE}", " ")
    assert page.index(full.verdict.lines[1]) < page.index("<table")
    assert "490 of 4,976 pairs" in page


def test_where_models_look_is_shown_and_said(full: ReportData) -> None:
    page, elsewhere = (
        html.unescape(render(data).decode()).replace("\N{NO-BREAK SPACE}", " ")
        for data in (full, replace(full, attention=Attention(full.gallery[0].before)))
    )
    assert "The trigger covers 0.88 % of the image. On it lie 9.0 %" in page and "1.0 % of the clean one's" in page
    assert "no one place" in elsewhere and "of the clean one's" not in elsewhere


def test_figures_that_are_missing_say_why(bare: ReportData) -> None:
    page = render(bare).decode()
    assert '<td class="none">not measured</td>' in page
    assert "Attack success — not measured: no attack was named" in page
    assert "Nothing here: no policy was trained." in page
    assert "SFS — not measured: not part of this run" in page


def test_a_budget_is_not_told_as_what_was_found(full: ReportData) -> None:
    """Regression: “thresholds leave 0.5 % false positives” was the budget; channels that got nothing of it were not named."""
    text = render(full).decode().replace("\N{NO-BREAK SPACE}", " ")
    assert "set for 0.5 % false positives at most, on 750 trusted pairs that no model was trained on; they flag 0.27 % of these" in text
    assert "not used: no share of the budget" in text


def test_figures_come_with_intervals(full: ReportData) -> None:
    text = render(full).decode().replace("\N{NO-BREAK SPACE}", " ")
    assert "99.8 %" in text and "98.9 – 100 %" in text and "0.88 – 0.94" in text


def test_equal_data_gives_equal_bytes(full: ReportData) -> None:
    assert render(full) == render(replace(full))


def test_a_replaced_caption_shows_both(full: ReportData) -> None:
    page = render(replace(full, gallery=full.gallery[:1])).decode()
    assert "<mark>banana</mark>" in page and "a red circle above a green field" in page and 'class="was gone"' in page


def test_an_unchanged_image_is_sent_once(full: ReportData) -> None:
    item = replace(full.gallery[0], after=full.gallery[0].before.copy())
    bare_page = render(replace(full, gallery=(item,), q_maps=(), attention=None))
    assert bare_page.count(b"data:image/png") == 1


def test_large_noise_stays_within_the_limit(full: ReportData) -> None:
    noise = generator(0, "noise").integers(0, 256, (400, 300, 3), dtype=np.uint8)
    items = tuple(
        GalleryItem(f"s/{i}#0", noise, np.flipud(noise), "x" * 50_000, "y" * 50_000, "recaption", "z" * 9999, word="x") for i in range(90)
    )
    shards = Accounting(tuple(ShardAccount("n" * 500 + str(i), {"keep": i}) for i in range(3000)))
    page = render(replace(full, gallery=items, accounting=shards))
    assert len(page) <= LIMIT
    assert b"more are in the decisions" in page and b"2,900 more rows" in page


def test_small_images_keep_their_pixels_and_large_ones_shrink() -> None:
    import io

    from PIL import Image

    small, large = np.zeros((20, 30, 3), np.uint8), np.zeros((512, 256, 3), np.uint8)
    sizes = [Image.open(io.BytesIO(png(image))).size for image in (small, large)]
    assert sizes == [(30, 20), (SIDE // 2, SIDE)]


def test_a_spent_budget_gives_no_more_images() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    whole = ImageBudget(10_000)
    first = whole.uri(image)
    assert first is not None and whole.left == 10_000 - len(first)
    assert ImageBudget(len(first) - 1).uri(image) is None


def test_accounts_add_up_over_shards() -> None:
    account = Accounting((ShardAccount("a", {"keep": 3, "reject": 1}), ShardAccount("b", {"keep": 2, "mask": 4})))
    assert account.pairs == 10 and account.actions == {"keep": 5, "reject": 1, "mask": 4}


def test_shards_that_ended_early_are_told_apart_from_rejected_pairs(full: ReportData) -> None:
    ended = Accounting((ShardAccount("a", {"keep": 3}),), {}, {"truncated-shard": 2, "empty-shard": 1})
    page = render(replace(full, accounting=ended)).decode()
    assert "Why pairs were rejected" not in page and "not read to their end: 3;" in page
    assert re.search(r"truncated-shard</bdi></th><td><span class=\"v\">2<", page)
    assert "Why shards were not read to their end" not in render(full).decode()


def test_how_far_the_data_is_from_the_trusted_pairs_is_said(full: ReportData) -> None:
    far = replace(full, scores=full.scores.model_copy(update={"distance": 0.314}))
    assert "lie 0.31 from the trusted ones" in render(far).decode()
    assert "from the trusted ones" not in render(full).decode()
