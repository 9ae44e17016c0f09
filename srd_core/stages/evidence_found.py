"""What the decisions of a run add up to: pairs by action, suspicious words, masks by place. No list of all rows is ever held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from srd_core.data.captions import clean
from srd_core.data.decisions import CONDEMNED, Decision, read_decisions, sample_of
from srd_core.data.manifest import StageManifest
from srd_core.data.reasons import ends_shard
from srd_core.defences.consensus import words_of
from srd_core.defences.weighed import PICTURED, SAID_AGAIN, SECOND_LOOK, UNSEEN
from srd_core.policy.masks import ActionSpace
from srd_core.report.data import Accounting, MaskCounts, ShardAccount
from srd_core.report.verdict import LEVEL, WordEvidence
from srd_core.reward.ngram import NgramFluency, first_words
from srd_core.scoring.excess import by_chance, log_likelihood_ratio
from srd_core.scoring.frequency import FrequentWord, frequent_words
from srd_core.stages.files import local_file

_WORDS = 20


class DecisionRows:
    """Every decision row of one arm, shard by shard in order; read again each time they are gone through, a row group in memory."""

    def __init__(self, parts: list[StageManifest], folder: Path) -> None:
        files = {name: ref for part in parts for name, ref in part.outputs.items() if name.endswith(".parquet")}
        self._files = [local_file(files[name], folder) for name in sorted(files)]

    def __iter__(self) -> Iterator[Decision]:
        return (row for file in self._files for row in read_decisions(file))


def is_flagged(row: Decision) -> bool:
    """Whether the caption was found suspicious by itself, which is what the budget of false positives is about."""
    return row.action in CONDEMNED and not row.reason.startswith((SECOND_LOOK, PICTURED, UNSEEN))


def was_judged(row: Decision) -> bool:
    """Whether a detector has seen the pair."""
    return row.action != "reject" and not row.reason.startswith(UNSEEN)


def condemned_by(look: str, rows: Iterable[Decision]) -> Counter[str]:
    """The words that condemned pairs which flagged nothing by themselves, by one `look` at the set, with the number of these pairs."""
    return Counter(row.suspicious_word for row in rows if row.reason.startswith(look))


def said_again(rows: Iterable[Decision]) -> int:
    """Pairs withheld because their new caption would have said a planted word."""
    return sum(row.action == "quarantine" and SAID_AGAIN in row.reason for row in rows)


def suspicious_words(rows: Iterable[Decision]) -> Iterator[WordEvidence]:
    """The words that flagged captions share and others lack, the most telling first (by the likelihood ratio of its flags).

    A word counts when the pairs that hold it are flagged at least twice as often as all pairs are, and more often than chance has it, over
    all words at once: a planted target does, and so does the sentence it is planted in, also when most of its pairs stay unseen.
    """
    held: Counter[str] = Counter()
    found: Counter[str] = Counter()
    pairs = suspects = 0
    for row in rows:
        if was_judged(row):
            words, out = words_of(clean(row.caption_before)), is_flagged(row)
            held.update(words)
            found.update(words if out else ())
            pairs, suspects = pairs + 1, suspects + out
    usual = suspects / max(pairs, 1)
    often = [(word, count) for word, count in found.items() if count / held[word] >= min(2 * usual, 1.0)]
    telling = [(word, count) for word, count in often if by_chance(count, held[word], usual) * len(held) < LEVEL]
    for word, count in sorted(telling, key=lambda item: (-log_likelihood_ratio(item[1], held[item[0]], usual), item[0]))[:_WORDS]:
        yield WordEvidence(word=word, flagged=count, pairs=held[word])


def surplus(rows: Iterable[Decision], fluency: NgramFluency) -> list[FrequentWord]:
    """The words that the captions of these pairs hold far more often than those on which `fluency` was fitted, the trusted ones.

    Of these it knows how often a word was said, so that one said twice in a caption counts twice.
    """
    held: Counter[str] = Counter()
    captions = 0
    for row in rows:
        if row.action != "reject":
            held.update(set(first_words(clean(row.caption_before))))
            captions += 1
    return frequent_words(held, captions, *fluency.occurrences())


def accounting(rows: Iterable[Decision]) -> Accounting:
    """Where every pair went. The row that says that a shard was not read to its end is no pair's."""
    shards: dict[str, Counter[str]] = {}
    rejected: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    for row in rows:
        actions = shards.setdefault(row.shard, Counter())
        if row.action == "reject" and ends_shard(row.reason):
            ended[row.reason] += 1
            continue
        if row.action == "reject":
            rejected[row.reason] += 1
        actions[row.action] += 1
    return Accounting(tuple(ShardAccount(name, dict(actions)) for name, actions in sorted(shards.items())), dict(rejected), dict(ended))


def mask_counts(rows: Iterable[Decision], space: ActionSpace) -> MaskCounts:
    """How often each mask was placed, one count a sample."""
    counts = np.zeros((len(space.sizes), space.grid, space.grid), dtype=np.int64)
    unmasked = 0
    for _, own in groupby((row for row in rows if row.action != "reject"), key=sample_of):
        row = next(own)
        if row.mask_x is None or row.mask_y is None or row.mask_size is None:
            unmasked += 1
            continue
        size = int(np.abs(np.asarray(space.sizes) - row.mask_size).argmin())
        width, height = row.image_width or 1, row.image_height or 1
        place = (row.mask_y * min(width, height) / height, row.mask_x * min(width, height) / width)
        counts[size, *(min(int(part * space.grid), space.grid - 1) for part in place)] += 1
    return MaskCounts(space.sizes, counts, unmasked)
