"""What the evidence said of every pair, kept between the first look and the last, and the defence that acts on both looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.defences.consensus import words_of
from srd_core.defences.planted_words import PlantedWords

SECOND_LOOK = "holds a word that flagged pairs share"
"""How the reason of a decision begins that the look at words took."""

PICTURED = "its image shows what the images of a word's captions share"
"""How the reason of a decision begins that the look at pictures took."""

SAID_AGAIN = "the new caption says a planted word"
"""How the reason of a decision goes on where the reference names what the attacker did: it may take the trigger for just that."""

UNSEEN = "its image could not be looked at"
"""How the reason of a decision begins for pairs that no detector has seen."""

_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("pair", "caption", "reference", "action", "reason", "recaption", "word")),
        ("evidence", pa.map_(pa.string(), pa.float64())),
        *((name, pa.float64()) for name in ("q_value", "q_gain")),
    ]
)
ROW_GROUP = 4096


@dataclass(frozen=True, slots=True)
class WeighedPair:
    """One pair: its `caption`, what the reference says of its image, and what the first look decided."""

    pair: str
    caption: str
    reference: str
    decision: PairDecision
    q_value: float | None
    q_gain: float | None

    @property
    def flagged(self) -> bool:
        """By the first look."""
        return self.decision.action != "keep"


class WeighedWriter:
    """Writes pairs in the given order; a context manager. The same pairs give the same bytes."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> WeighedWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._flush()
        self._writer.close()

    def write(self, pair: WeighedPair) -> None:
        """One row."""
        made = pair.decision
        known = {"pair": pair.pair, "caption": pair.caption, "reference": pair.reference, "q_value": pair.q_value, "q_gain": pair.q_gain}
        said = {"action": made.action, "reason": made.reason, "recaption": made.caption, "word": made.word}
        self._rows.append({**known, **said, "evidence": sorted(made.evidence.items())})
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=_SCHEMA))
            self._rows = []


def read_weighed(path: Path) -> Iterator[WeighedPair]:
    """Pairs in order, one row group in memory at a time."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            for row in file.read_row_group(number).to_pylist():
                decision = PairDecision(row["action"], row["reason"], row["recaption"], dict(row["evidence"]), row["word"])
                yield WeighedPair(row["pair"], row["caption"], row["reference"], decision, row["q_value"], row["q_gain"])


def read_flags(path: Path) -> Iterator[tuple[str, bool]]:
    """Of every pair in order: its caption, and whether the first look flagged it. Reads nothing else of the file."""
    with pq.ParquetFile(path) as file:
        for rows in file.iter_batches(ROW_GROUP, columns=["caption", "action"]):
            captions, actions = rows.columns
            yield from zip(captions.to_pylist(), (action != "keep" for action in actions.to_pylist()), strict=True)


class Weighed:
    """See `Defence`. `pairs` by id, `condemned` words, `pictured` the word by pair id, `planted` words, in any order.

    A pair whose new caption would say a planted word is withheld: the image is what it was, and the two would teach what was to be undone.
    So is a pair that was not weighed: its image could not be looked at. Where it cannot be written either, the writer rejects it.
    """

    looks = False

    def __init__(
        self,
        pairs: Mapping[str, WeighedPair],
        condemned: Sequence[str] = (),
        pictured: Mapping[str, str] | None = None,
        planted: Iterable[str] = (),
        action: Literal["recaption", "quarantine"] = "recaption",
    ) -> None:
        self._pairs, self._condemned, self._pictured, self._action = pairs, condemned, pictured or {}, action
        self._planted = PlantedWords(planted)

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        return [self._sample([self._pairs.get(name) for name in own]) for own in batch.ids]

    def _sample(self, own: Sequence[WeighedPair | None]) -> SampleDecision:
        known = next((pair for pair in own if pair is not None), None)
        decisions = tuple(PairDecision("quarantine", UNSEEN) if pair is None else self._pair(pair) for pair in own)
        return SampleDecision(decisions, None, known.q_value if known else None, known.q_gain if known else None)

    def _pair(self, pair: WeighedPair) -> PairDecision:
        made = self._judged(pair)
        said = self._planted.said_in(made.caption) if made.action == "recaption" and made.caption else None
        return made if said is None else replace(made, action="quarantine", reason=f"{made.reason}; {SAID_AGAIN}: {said}", caption=None)

    def _judged(self, pair: WeighedPair) -> PairDecision:
        word = None if pair.flagged else self._pictured.get(pair.pair) or self._shared(pair.caption)
        if word is None:
            return pair.decision
        evidence, reason = pair.decision.evidence, f"{PICTURED if pair.pair in self._pictured else SECOND_LOOK}: {word}"
        if self._action == "recaption" and pair.reference:
            return PairDecision("recaption", reason, pair.reference, evidence, word)
        return PairDecision("quarantine", reason, None, evidence, word)

    def _shared(self, caption: str) -> str | None:
        """The first condemned word that it holds."""
        held = words_of(caption) if self._condemned else ()
        return next((word for word in self._condemned if word in held), None)
