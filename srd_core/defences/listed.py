"""A baseline defence at work: what its screen has condemned is withheld, pair by pair; everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from srd_core.defences.base import Batch, PairDecision, SampleDecision
from srd_core.defences.screens.base import Screened
from srd_core.defences.weighed import UNSEEN

_SCHEMA = pa.schema([("pair", pa.string()), ("score", pa.float64()), ("condemned", pa.bool_()), ("word", pa.string())])


def save_verdicts(path: Path, ids: Sequence[str], screened: Screened) -> None:
    """One row a pair: id, score, whether it is condemned, and by which word, if by one."""
    words = list(screened.words) or [""] * len(ids)
    columns = {"pair": list(ids), "score": screened.scores.tolist(), "condemned": screened.condemned.tolist(), "word": words}
    pq.write_table(pa.table(columns, schema=_SCHEMA), path, compression="zstd")


def load_verdicts(path: Path) -> dict[str, bool]:
    """Whether each pair is condemned."""
    return _column(path, "condemned")


def load_suspicion(path: Path) -> dict[str, float]:
    """The score of each pair."""
    return _column(path, "score")


def load_condemned(path: Path) -> dict[str, str]:
    """The condemned pairs, each with the word that condemned it."""
    words = _column(path, "word")
    return {pair: words[pair] for pair, condemned in load_verdicts(path).items() if condemned}


def _column(path: Path, name: str) -> dict[str, Any]:
    table = pq.read_table(path)
    return dict(zip(table["pair"].to_pylist(), table[name].to_pylist(), strict=True))


class Listed:
    """See `Defence`. A pair that the screen has not seen is withheld: its image could not be looked at.

    Where it cannot be written either, the writer rejects it.
    """

    looks = False

    def __init__(self, name: str, condemned: Mapping[str, bool]) -> None:
        self._withhold = PairDecision("quarantine", f"condemned by {name}")
        self._unseen = PairDecision("quarantine", UNSEEN)
        self._keep = PairDecision("keep", f"passed by {name}")
        self._condemned = condemned

    def decide(self, batch: Batch) -> list[SampleDecision]:
        """See `Defence`."""
        return [SampleDecision(tuple(map(self._decided, own))) for own in batch.ids]

    def _decided(self, pair: str) -> PairDecision:
        condemned = self._condemned.get(pair)
        return self._unseen if condemned is None else self._withhold if condemned else self._keep
