"""What the decisions of a run add up to: pairs by action, suspicious words, masks by place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from srd_core.data.decisions import Decision, read_decisions
from srd_core.data.manifest import StageManifest
from srd_core.defences.consensus import words_of
from srd_core.defences.weighed import PICTURED, SECOND_LOOK
from srd_core.policy.masks import ActionSpace
from srd_core.report.data import Accounting, MaskCounts, ShardAccount
from srd_core.report.verdict import LEVEL, WordEvidence
from srd_core.reward.ngram import NgramFluency
from srd_core.reward.ngram import words_of as spoken
from srd_core.scoring.excess import log_likelihood_ratio
from srd_core.scoring.frequency import FrequentWord, frequent_words
from srd_core.stages.files import local_file

_FLAGGED = ("recaption", "quarantine")
_WORDS = 20


def all_decisions(parts: list[StageManifest], folder: Path) -> Iterator[Decision]:
    """Every decision row of one arm, shard by shard in order."""
    files = {name: ref for part in parts for name, ref in part.outputs.items() if name.endswith(".parquet")}
    for name in sorted(files):
        yield from read_decisions(local_file(files[name], folder))


def flagged(rows: list[Decision]) -> list[Decision]:
    """Rows whose caption was found suspicious by itself, which is what the budget of false positives is about."""
    return [row for row in rows if row.action in _FLAGGED and not row.reason.startswith((SECOND_LOOK, PICTURED))]


def pictured(rows: list[Decision]) -> Counter[str]:
    """The words that condemned pairs by what their images share, with the number of these pairs."""
    return Counter(row.suspicious_word for row in rows if row.reason.startswith(PICTURED))


def suspicious_words(rows: list[Decision]) -> Iterator[WordEvidence]:
    """The words that flagged captions share and others lack, the most telling first (by the likelihood ratio of its flags).

    A word counts when the pairs that hold it are flagged at least twice as often as all pairs are, and more often than chance has it, over
    all words at once: a planted target does, and so does the sentence it is planted in, also when most of its pairs stay unseen.
    """
    from scipy.special import bdtrc

    judged = [row for row in rows if row.action != "reject"]
    suspects = flagged(judged)
    held = Counter(word for row in judged for word in _words_of(row))
    found = Counter(word for row in suspects for word in _words_of(row))
    usual = len(suspects) / max(len(judged), 1)
    often = [(word, count) for word, count in found.items() if count / held[word] >= min(2 * usual, 1.0)]
    telling = [(word, count) for word, count in often if bdtrc(count - 1, held[word], usual) * len(held) < LEVEL]
    for word, count in sorted(telling, key=lambda item: (-log_likelihood_ratio(item[1], held[item[0]], usual), item[0]))[:_WORDS]:
        yield WordEvidence(word=word, flagged=count, pairs=held[word])


def surplus(rows: list[Decision], fluency: NgramFluency) -> list[FrequentWord]:
    """The words that the captions of these pairs hold far more often than those on which `fluency` was fitted, the trusted ones."""
    captions = [set(spoken(row.caption_before)) for row in rows if row.action != "reject"]
    return frequent_words(Counter(word for own in captions for word in own), len(captions), *fluency.occurrences())


def _words_of(row: Decision) -> set[str]:
    return words_of(row.caption_before)


def accounting(parts: list[StageManifest], rows: list[Decision]) -> Accounting:
    """Where every pair went."""
    shards: dict[str, Counter[str]] = {}
    for row in rows:
        shards.setdefault(row.shard, Counter())[row.action] += 1
    rejected = Counter(row.reason for row in rows if row.action == "reject")
    return Accounting(tuple(ShardAccount(name, dict(actions)) for name, actions in sorted(shards.items())), dict(rejected))


def mask_counts(rows: list[Decision], space: ActionSpace) -> MaskCounts:
    """How often each mask was placed, one count a sample. Exact for square images; on others centres are put into the nearest cell."""
    counts = np.zeros((len(space.sizes), space.grid, space.grid), dtype=np.int64)
    unmasked = 0
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if row.action == "reject" or (row.shard, row.key) in seen:
            continue
        seen.add((row.shard, row.key))
        if row.mask_x is None or row.mask_y is None or row.mask_size is None:
            unmasked += 1
            continue
        size = int(np.abs(np.asarray(space.sizes) - row.mask_size).argmin())
        cell = (min(int(row.mask_y * space.grid), space.grid - 1), min(int(row.mask_x * space.grid), space.grid - 1))
        counts[size, *cell] += 1
    return MaskCounts(space.sizes, counts, unmasked)
